use hub_otel::instrument_workflow;

#[instrument_workflow(fields(size = 1, "size" = 2))]
async fn sync() {}

fn main() {}
