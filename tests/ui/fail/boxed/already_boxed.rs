use hub_otel::instrument_workflow;

#[instrument_workflow(boxed)]
fn sync() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {})
}

fn main() {}
