use hub_otel::instrument_workflow;

#[instrument_workflow(id =, name = "n")]
async fn sync() {}

fn main() {}
