use hub_otel::instrument_workflow;

#[instrument_workflow(ret(|out| size = out))]
async fn sync() {}

fn main() {}
