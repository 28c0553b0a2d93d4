use futures_util::stream::{self, Empty};
use hub_otel::instrument_workflow;

#[instrument_workflow]
fn sync() -> Result<Empty<u8>, String> {
    Ok(stream::empty())
}

fn main() {}
