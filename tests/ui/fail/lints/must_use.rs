#![deny(unused_must_use)]

use hub_otel::instrument_workflow;

#[must_use]
#[instrument_workflow]
async fn sync() -> u8 {
    1
}

async fn caller() {
    sync().await;
}

fn main() {}
