use hub_otel::instrument_workflow;

#[instrument_workflow(id = name().await)]
async fn sync() {}

async fn name() -> String {
    String::new()
}

fn main() {}
