use futures_util::{Stream, stream};
use hub_otel::instrument_workflow;

#[instrument_workflow(keep_async)]
fn sync() -> impl Stream<Item = u8> {
    stream::empty()
}

fn main() {}
