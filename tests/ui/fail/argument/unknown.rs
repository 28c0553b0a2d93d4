use hub_otel::instrument_workflow;

#[instrument_workflow(banana = 1)]
async fn sync() {}

fn main() {}
