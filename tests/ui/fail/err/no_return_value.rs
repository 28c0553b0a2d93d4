use hub_otel::instrument_workflow;

#[instrument_workflow(err(expected = is_expected))]
async fn sync() {}

fn main() {}
