//! Approvals: decisions and expiry.

use super::{Engine, Result, run_detached, telemetry};
use crate::store::{Decided, Effect, Resolution, StoredDecision};
use std::time::Duration;

impl Engine {
    /// Decides an approval and continues its run.
    ///
    /// # Errors
    /// The store failed.
    pub async fn decide(&self, id: &str, resolution: Resolution) -> Result<Decided> {
        let (engine, id) = (self.clone(), id.to_owned());
        run_detached(async move {
            // While the process shuts down, another process or the next start continues the run.
            let owner = (!engine.is_draining()).then(|| engine.inner.owner.clone());
            let decided = engine.inner.store.decide(&id, resolution, owner).await?;
            if let Decided::Now(decision) = &decided {
                engine.apply_decision(decision);
            }
            Ok(decided)
        })
        .await
    }

    /// Continues or ends the run of a stored decision.
    fn apply_decision(&self, decision: &StoredDecision) {
        let run = decision.effect.run();
        telemetry::record_decision(&decision.approval, run);
        for other in &decision.cancelled {
            telemetry::record_decision(other, run);
        }
        match &decision.effect {
            Effect::Continued(run) if run.owner.is_some() => self.launch(run.clone()),
            Effect::Ended(run) => telemetry::record_end(run),
            Effect::InFlight(run) => self.inner.in_flight.notify(&run.id),
            Effect::Continued(_) | Effect::Unchanged(_) => {}
        }
    }

    /// Expires approvals until the task is aborted.
    pub async fn watch_expiry(self) {
        loop {
            let due = match self.expire_due().await {
                Ok(due) => due,
                Err(error) => {
                    tracing::warn!(%error, "cannot expire approvals");
                    None
                }
            };
            // At most 30 s, in case the clock is changed.
            let pause = due.unwrap_or(Duration::from_secs(30));
            let pause = pause.clamp(Duration::from_millis(20), Duration::from_secs(30));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.inner.approval_requested.notified() => {}
            }
        }
    }

    /// Expires due approvals. Returns the time until the next expiry.
    async fn expire_due(&self) -> Result<Option<Duration>> {
        let store = &self.inner.store;
        let due = store.next_expiry().await?;
        if due.is_none_or(|due| !due.is_zero()) {
            return Ok(due);
        }
        for decision in store.expire().await? {
            self.apply_decision(&decision);
        }
        Ok(store.next_expiry().await?)
    }
}
