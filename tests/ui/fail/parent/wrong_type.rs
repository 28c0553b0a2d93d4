use hub_otel::instrument_workflow;

#[instrument_workflow(parent = traceparent)]
async fn sync(traceparent: &str) {}

fn main() {}
