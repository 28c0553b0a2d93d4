use hub_otel::instrument_workflow;

#[instrument_workflow(keep_async)]
fn sync() {}

fn main() {}
