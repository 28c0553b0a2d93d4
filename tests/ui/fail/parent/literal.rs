use hub_otel::instrument_workflow;

#[instrument_workflow(parent = "00-0af7-b7ad-01")]
async fn sync() {}

fn main() {}
