use hub_otel::instrument_workflow;

#[instrument_workflow(root, parent = parent)]
async fn sync(parent: &hub_otel::otel::opentelemetry::Context) {
    let _ = parent;
}

fn main() {}
