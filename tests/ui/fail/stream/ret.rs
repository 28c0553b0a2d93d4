use futures_util::{Stream, stream};
use hub_otel::instrument_workflow;

#[instrument_workflow(ret(|out| size = out))]
fn sync() -> impl Stream<Item = u8> {
    stream::empty()
}

fn main() {}
