use hub_otel::instrument_workflow;

#[instrument_workflow(span_name = 7)]
async fn sync() {}

fn main() {}
