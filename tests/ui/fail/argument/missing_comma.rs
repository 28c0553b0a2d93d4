use hub_otel::instrument_workflow;

#[instrument_workflow(root gen_ai)]
async fn sync() {}

fn main() {}
