use hub_otel::instrument_workflow;

#[instrument_workflow(enabled = "yes")]
async fn sync() {}

fn main() {}
