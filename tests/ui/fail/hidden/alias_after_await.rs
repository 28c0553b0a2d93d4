use futures_util::stream::{self, BoxStream};
use hub_otel::instrument_workflow;

type Rows = BoxStream<'static, u8>;

#[instrument_workflow]
async fn sync() -> Rows {
    Box::pin(stream::empty())
}

fn main() {}
