use futures_util::future::{self, FusedFuture};
use hub_otel::instrument_workflow;

#[instrument_workflow]
fn sync() -> impl FusedFuture<Output = u8> {
    future::ready(1)
}

fn main() {}
