use hub_otel::instrument_workflow;

type Rows = std::pin::Pin<Box<dyn Future<Output = u8>>>;

#[instrument_workflow]
fn sync() -> Rows {
    Box::pin(async { 1 })
}

fn main() {}
