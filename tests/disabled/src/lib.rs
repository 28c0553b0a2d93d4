//! Annotated code in a program without the feature `enabled`.
#![deny(warnings)]

use hub_otel::{TimedOut, instrument_agent, instrument_workflow};
use std::time::Duration;

/// The timeout as an error.
#[derive(Debug, PartialEq, Eq)]
pub struct Late;

impl From<TimedOut> for Late {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

fn evaluated_only_for_telemetry(_: &str) -> String {
    unreachable!("an argument was evaluated")
}

/// Annotated.
#[instrument_workflow(id = evaluated_only_for_telemetry(name), fields(name, length = data.len()))]
pub async fn annotated(name: &str, data: [u8; 64]) -> usize {
    std::future::ready(()).await;
    name.len() + data.len()
}

/// Not annotated.
pub async fn plain(name: &str, data: [u8; 64]) -> usize {
    std::future::ready(()).await;
    name.len() + data.len()
}

/// A short timeout.
#[instrument_agent(id = "a", action = "x", timeout = Duration::from_millis(5))]
pub async fn slow() -> Result<(), Late> {
    std::future::pending::<()>().await;
    Ok(())
}

/// A timeout that a test reaches only with a paused clock.
#[instrument_agent(id = "a", action = "x", timeout = Duration::from_secs(3_600))]
pub async fn in_an_hour() -> Result<(), Late> {
    std::future::pending::<()>().await;
    Ok(())
}
