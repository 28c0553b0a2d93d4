use futures_util::{Stream, stream};
use hub_otel::instrument_workflow;

#[instrument_workflow]
fn sync() -> Box<dyn Stream<Item = u8> + Unpin> {
    Box::new(stream::empty())
}

fn main() {}
