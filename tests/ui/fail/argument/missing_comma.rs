use hub_otel::instrument_workflow;

#[instrument_workflow(id = "sync" name = "Sync")]
async fn sync() {}

fn main() {}
