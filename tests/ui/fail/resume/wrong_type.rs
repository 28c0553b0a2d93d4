use hub_otel::instrument_workflow;

#[instrument_workflow(resume = run_id)]
async fn sync(run_id: String) {}

fn main() {}
