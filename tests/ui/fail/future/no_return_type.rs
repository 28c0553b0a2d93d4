use hub_otel::instrument_workflow;

#[instrument_workflow(future)]
fn sync() {}

fn main() {}
