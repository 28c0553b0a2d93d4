use hub_otel::instrument_workflow;

#[instrument_workflow(id("nightly"))]
async fn sync() {}

fn main() {}
