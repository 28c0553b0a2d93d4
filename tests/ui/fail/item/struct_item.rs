use hub_otel::instrument_workflow;

#[instrument_workflow]
struct Sync;

fn main() {}
