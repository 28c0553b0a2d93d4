use futures_util::{Stream, stream};
use hub_otel::instrument_workflow;

#[instrument_workflow(timeout = std::time::Duration::from_secs(1))]
async fn sync() -> impl Stream<Item = Result<u8, hub_otel::TimedOut>> {
    stream::empty()
}

fn main() {}
