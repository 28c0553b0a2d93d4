use hub_otel::instrument_workflow;

#[instrument_workflow(fields())]
async fn sync() {}

fn main() {}
