use hub_otel::instrument_workflow;

#[instrument_workflow(root = true)]
async fn sync() {}

fn main() {}
