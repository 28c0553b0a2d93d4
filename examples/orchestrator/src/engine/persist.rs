//! Writes down what happened, however long the database takes: a result that an agent gave is never thrown away.

use super::flight::{Signals, Stop};
use crate::store::StoreError;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// Why something was not written.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// The segment has to stop.
    Stopped(Stop),
    /// The store is closed: the process is gone already.
    Closed,
}

/// Repeats `write` until it works, or the segment has to stop.
pub(super) async fn persist<T, F>(signals: &Signals, write: impl Fn() -> F) -> Result<T, NotWritten>
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
            // It will never be read: the run stays as it is, for whoever repairs the row.
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%error, "the run cannot go on");
                return Err(NotWritten::Closed);
            }
            Err(error) => tracing::warn!(%error, "the database failed; trying again"),
        }
        let pause = pauses.next().unwrap_or(Duration::from_secs(2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            why = signals.stopped() => return Err(NotWritten::Stopped(why)),
        }
    }
}
