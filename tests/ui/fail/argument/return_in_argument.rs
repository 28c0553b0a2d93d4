use hub_otel::instrument_workflow;

#[instrument_workflow(fields(k = return))]
async fn sync() {}

fn main() {}
