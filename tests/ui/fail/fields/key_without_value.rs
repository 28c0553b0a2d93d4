use hub_otel::instrument_workflow;

#[instrument_workflow(fields("plan.size"))]
async fn sync() {}

fn main() {}
