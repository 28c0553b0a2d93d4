use hub_otel::instrument_workflow;

#[instrument_workflow(skip(password), level = "debug")]
async fn sync(_password: String) {}

fn main() {}
