use futures_util::{Stream, stream};
use hub_otel::instrument_workflow;

#[instrument_workflow(timeout = std::time::Duration::from_secs(1))]
fn sync() -> impl Stream<Item = u8> {
    stream::empty()
}

fn main() {}
