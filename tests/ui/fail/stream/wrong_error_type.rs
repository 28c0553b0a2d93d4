use futures_util::{Stream, stream};
use hub_otel::instrument_workflow;

fn is_expected(error: &u8) -> bool {
    *error == 0
}

#[instrument_workflow(err(expected = is_expected))]
fn sync() -> impl Stream<Item = Result<u8, String>> {
    stream::empty()
}

fn main() {}
