use hub_otel::instrument_workflow;

#[instrument_workflow]
const SYNC: u8 = 1;

fn main() {}
