use hub_otel::instrument_workflow;

#[instrument_workflow(= 3)]
async fn sync() {}

fn main() {}
