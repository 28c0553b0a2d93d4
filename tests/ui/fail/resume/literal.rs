use hub_otel::instrument_workflow;

#[instrument_workflow(resume = "segment")]
async fn sync() {}

fn main() {}
