use hub_otel::instrument_workflow;

#[instrument_workflow(stream)]
fn sync() {}

fn main() {}
