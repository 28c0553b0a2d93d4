//! Approvals: decisions and expiry.

use super::{Engine, Result, run_detached, telemetry};
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Run, RunStatus};
use crate::store::{Decided, Resolution};
use std::collections::HashSet;
use std::time::Duration;

impl Engine {
    /// Decides an approval and continues its run.
    ///
    /// # Errors
    /// The store failed.
    pub async fn decide(&self, id: &str, resolution: Resolution) -> Result<Decided> {
        let (engine, id) = (self.clone(), id.to_owned());
        run_detached(async move {
            let (decided, others) = engine.inner.store.decide(&id, resolution).await?;
            if let Decided::Now(approval, run) = &decided {
                engine.apply_decision(approval, run);
                others.iter().for_each(|other| telemetry::record_decision(other, run));
            }
            Ok(decided)
        })
        .await
    }

    /// Continues or ends the run of a stored decision.
    fn apply_decision(&self, approval: &Approval, run: &Run) {
        telemetry::record_decision(approval, run);
        match (approval.decision, run.status) {
            (Decision::Approved, RunStatus::Pending) => self.launch(run.clone()),
            (Decision::Rejected, RunStatus::Rejected) => {
                telemetry::record_end(run, RunStatus::Rejected, None);
            }
            (Decision::Expired, RunStatus::TimedOut) => {
                telemetry::record_end(run, RunStatus::TimedOut, Some("approval_expired"));
            }
            // The segment still executes other nodes.
            (_, RunStatus::Running) => self.inner.in_flight.notify(&run.id),
            _ => {}
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
            // At most 30 s, in case the system clock is changed.
            let pause = due.map_or(Duration::from_secs(30), |due| due.since(Timestamp::now()));
            let pause = pause.clamp(Duration::from_millis(20), Duration::from_secs(30));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.inner.approval_requested.notified() => {}
            }
        }
    }

    /// Expires due approvals. Returns the time of the next expiry.
    async fn expire_due(&self) -> Result<Option<Timestamp>> {
        let store = &self.inner.store;
        let due = store.next_expiry().await?;
        if due.is_none_or(|due| due > Timestamp::now()) {
            return Ok(due);
        }
        let mut ended = HashSet::new();
        for (approval, run) in store.expire().await? {
            // Several approvals of a run can expire together. The run ends once.
            if approval.decision == Decision::Expired && ended.insert(run.id.clone()) {
                self.apply_decision(&approval, &run);
            } else {
                telemetry::record_decision(&approval, &run);
            }
        }
        Ok(store.next_expiry().await?)
    }
}
