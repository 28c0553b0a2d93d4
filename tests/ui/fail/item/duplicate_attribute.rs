use hub_otel::instrument_workflow;

#[instrument_workflow]
#[instrument_workflow]
async fn sync() {}

fn main() {}
