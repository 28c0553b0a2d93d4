use hub_otel::instrument_workflow;

#[instrument_workflow(id = "")]
async fn sync() {}

fn main() {}
