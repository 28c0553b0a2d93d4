use hub_otel::instrument_workflow;

#[instrument_workflow(fields("" = 1))]
async fn sync() {}

fn main() {}
