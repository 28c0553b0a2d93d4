use hub_otel::instrument_workflow;

#[instrument_workflow(future)]
async fn sync() {}

fn main() {}
