use hub_otel::instrument_workflow;

#[instrument_workflow(nmae = "Nightly")]
async fn sync() {}

fn main() {}
