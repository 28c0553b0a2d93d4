use hub_otel::instrument_workflow;

#[instrument_workflow(none = error)]
async fn sync() {}

fn main() {}
