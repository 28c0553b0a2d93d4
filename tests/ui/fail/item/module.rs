use hub_otel::instrument_workflow;

#[instrument_workflow]
mod sync {}

fn main() {}
