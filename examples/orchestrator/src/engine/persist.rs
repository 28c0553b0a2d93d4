//! Writes to the store with unlimited retries, so that the result of an agent is not lost.

use super::registry::{RunSignals, Stop};
use crate::store::StoreError;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// A write that was given up.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// The segment has to stop.
    Stopped(Stop),
    /// The store is closed because the process shuts down.
    Closed,
}

/// Repeats `write` until it succeeds or the segment has to stop.
pub(super) async fn persist<T, F>(
    signals: &RunSignals,
    write: impl Fn() -> F,
) -> Result<T, NotWritten>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times()
        .build();
    loop {
        match write().await {
            Ok(value) => return Ok(value),
            Err(StoreError::Closed) => return Err(NotWritten::Closed),
            // A retry cannot succeed. The run stays as it is until the row is repaired.
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%error, "the run cannot continue");
                return Err(NotWritten::Closed);
            }
            Err(error) => tracing::warn!(%error, "the database failed, retrying"),
        }
        let pause = pauses.next().unwrap_or(Duration::from_secs(2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            stop = signals.stopped() => return Err(NotWritten::Stopped(stop)),
        }
    }
}
