use hub_otel::instrument_workflow;

#[instrument_workflow(id = "a", name = "n", id = "b")]
async fn sync() {}

fn main() {}
