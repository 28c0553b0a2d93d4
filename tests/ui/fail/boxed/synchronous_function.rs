use hub_otel::instrument_workflow;

#[instrument_workflow(boxed)]
fn sync() {}

fn main() {}
