use hub_otel::instrument_workflow;

#[instrument_workflow(id = order.id)]
async fn sync() {}

fn main() {}
