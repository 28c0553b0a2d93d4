use hub_otel::instrument_workflow;

#[instrument_workflow(timeout = std::time::Duration::from_secs(1))]
async fn sync() {}

fn main() {}
