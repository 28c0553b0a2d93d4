use hub_otel::instrument_workflow;

#[instrument_workflow(links = [traceparent])]
async fn sync(traceparent: &str) {}

fn main() {}
