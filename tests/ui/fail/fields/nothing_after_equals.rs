use hub_otel::instrument_workflow;

#[instrument_workflow(fields(size =))]
async fn sync() {}

fn main() {}
