//! Questions to humans: their answers, and the clock that answers for who does not.

use super::{Engine, Result, shielded, telemetry};
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Run, RunStatus};
use crate::store::{Answer, Decided};
use std::collections::HashSet;
use std::time::Duration;

impl Engine {
    /// Answers an approval, and goes on with its run.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn decide(&self, id: &str, answer: Answer) -> Result<Decided> {
        let (engine, id) = (self.clone(), id.to_owned());
        shielded(async move {
            let (decided, others) = engine.inner.store.decide(&id, answer).await?;
            if let Decided::Now(approval, run) = &decided {
                engine.follow(approval, run);
                others.iter().for_each(|other| telemetry::approval_decided(other, run));
            }
            Ok(decided)
        })
        .await
    }

    /// What a decision means for its run, once it is stored.
    fn follow(&self, approval: &Approval, run: &Run) {
        telemetry::approval_decided(approval, run);
        match (approval.decision, run.status) {
            (Decision::Approved, RunStatus::Pending) => self.launch(run.clone()),
            (Decision::Rejected, RunStatus::Rejected) => {
                telemetry::ended_without_segment(run, RunStatus::Rejected, None);
            }
            (Decision::Expired, RunStatus::TimedOut) => {
                telemetry::ended_without_segment(
                    run,
                    RunStatus::TimedOut,
                    Some("approval_expired"),
                );
            }
            // Its segment runs: other nodes were still busy.
            (_, RunStatus::Running) => self.inner.flight.wake(&run.id),
            _ => {}
        }
    }

    /// Lets approvals expire, for as long as the process lives.
    pub async fn watch_expiry(self) {
        loop {
            let due = match self.expire_due().await {
                Ok(due) => due,
                Err(error) => {
                    tracing::warn!(%error, "approvals cannot expire");
                    None
                }
            };
            // Not much longer than a clock that was set may be wrong.
            let pause = due.map_or(Duration::from_secs(30), |due| due.since(Timestamp::now()));
            tokio::select! {
                () = tokio::time::sleep(pause.clamp(Duration::from_millis(20), Duration::from_secs(30))) => {}
                () = self.inner.asked.notified() => {}
            }
        }
    }

    /// Expires what is due; gives back when the next one is.
    async fn expire_due(&self) -> Result<Option<Timestamp>> {
        let store = &self.inner.store;
        let due = store.next_expiry().await?;
        if due.is_none_or(|due| due > Timestamp::now()) {
            return Ok(due);
        }
        let mut ended = HashSet::new();
        for (approval, run) in store.expire().await? {
            // Several questions of one run expire together; it ends once.
            if approval.decision == Decision::Expired && ended.insert(run.id.clone()) {
                self.follow(&approval, &run);
            } else {
                telemetry::approval_decided(&approval, &run);
            }
        }
        Ok(store.next_expiry().await?)
    }
}
