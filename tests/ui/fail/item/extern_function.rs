use hub_otel::instrument_workflow;

#[instrument_workflow]
extern "C" fn sync() {}

fn main() {}
