use hub_otel::instrument_workflow;

#[instrument_workflow]
enum Sync {}

fn main() {}
