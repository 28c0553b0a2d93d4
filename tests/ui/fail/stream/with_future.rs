use futures_util::stream;
use futures_util::stream::BoxStream;
use hub_otel::instrument_workflow;

type Rows = BoxStream<'static, u8>;

#[instrument_workflow(future, stream)]
fn sync() -> Rows {
    Box::pin(stream::empty())
}

fn main() {}
