use hub_otel::instrument_workflow;

#[instrument_workflow(crate = 3)]
async fn sync() {}

fn main() {}
