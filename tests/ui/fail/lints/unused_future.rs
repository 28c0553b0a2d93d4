#![deny(unused_must_use)]

use hub_otel::instrument_workflow;

#[instrument_workflow]
async fn sync() -> u8 {
    1
}

fn main() {
    sync();
}
