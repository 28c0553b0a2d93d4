use hub_otel::instrument_workflow;

#[instrument_workflow(crate = elsewhere)]
async fn sync() {}

fn main() {}
