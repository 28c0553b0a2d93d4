use hub_otel::instrument_workflow;

#[instrument_workflow(labels(size = 3))]
async fn sync() {}

fn main() {}
