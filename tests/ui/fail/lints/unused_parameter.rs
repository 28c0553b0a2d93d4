#![deny(unused_variables)]

use hub_otel::{instrument_agent, instrument_workflow};

#[instrument_workflow(fields(named))]
async fn sync(used: u8, idle: u8, named: u8, _meant: u8) -> u8 {
    used
}

#[instrument_agent(keep_async)]
async fn kept(idle: u8, #[cfg(any())] absent: u8) {}

#[instrument_agent]
fn synchronous(written: u8, idle: u8) -> String {
    format!("{written}")
}

fn main() {}
