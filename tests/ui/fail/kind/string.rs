use hub_otel::instrument_workflow;

#[instrument_workflow(kind = "client")]
async fn sync() {}

fn main() {}
