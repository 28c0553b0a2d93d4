//! Deletion of ended runs and old incidents after the retention time.

use super::Engine;
use std::time::Duration;

/// Maximum number of runs that one transaction deletes: other writers wait for it.
const BATCH: u32 = 200;

impl Engine {
    /// Deletes runs that ended before the retention time, until the task is aborted. Zero keeps
    /// all.
    pub async fn keep_retention(self, retention: Duration) {
        if retention.is_zero() {
            return;
        }
        let pause = (retention / 10).clamp(Duration::from_millis(100), Duration::from_secs(600));
        let mut rounds = tokio::time::interval(pause);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let before = self.inner.store.now().before(retention);
            let mut deleted = 0;
            loop {
                match self.inner.store.delete_ended(before, BATCH).await {
                    Ok(0) => break,
                    Ok(count) => deleted += count,
                    Err(error) => {
                        tracing::warn!(%error, "cannot delete ended runs");
                        break;
                    }
                }
            }
            self.inner.execution.delete_ended(before).await;
            if deleted > 0 {
                tracing::info!(deleted, "deleted runs and incidents after the retention time");
            }
        }
    }
}
