use hub_otel::instrument_workflow;

#[instrument_workflow(kind = cilent)]
async fn sync() {}

fn main() {}
