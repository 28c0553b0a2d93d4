use futures_util::stream::{self, BoxStream};
use hub_otel::instrument_llm;

type Rows = BoxStream<'static, u8>;

#[instrument_llm]
fn sync() -> Rows {
    Box::pin(stream::empty())
}

fn main() {}
