use hub_otel::instrument_workflow;

#[instrument_workflow("nightly")]
async fn sync() {}

fn main() {}
