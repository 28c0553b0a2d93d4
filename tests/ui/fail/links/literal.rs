use hub_otel::instrument_workflow;

#[instrument_workflow(links = 3)]
async fn sync() {}

fn main() {}
