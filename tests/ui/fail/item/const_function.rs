use hub_otel::instrument_workflow;

#[instrument_workflow]
const fn sync() {}

fn main() {}
