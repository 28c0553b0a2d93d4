use hub_otel::instrument_workflow;

#[instrument_workflow]
unsafe extern "C" {}

fn main() {}
