use futures_util::stream::{self, BoxStream};
use hub_otel::instrument_workflow;

#[instrument_workflow(boxed)]
fn sync() -> BoxStream<'static, u8> {
    Box::pin(stream::empty())
}

fn main() {}
