//! Lease of this process: renewal, and the runs of processes whose lease has expired.

use super::{Engine, Result, telemetry};
use crate::domain::Workflow;
use crate::store::CrashLooped;
use hub_otel::Telemetry;
use std::time::Duration;

impl Engine {
    /// Renews the lease, and launches the runs that no living process owns. Returns the number of
    /// launched and of crash-looped runs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(usize, usize)> {
        let recovered =
            self.inner.store.take_over(&self.inner.owner, self.inner.options.crash_limit).await?;
        let counts = (recovered.runs.len(), recovered.crash_looped.len());
        for CrashLooped { run, cancelled } in recovered.crash_looped {
            tracing::error!(
                run = run.id,
                workflow = run.workflow,
                "the process crashed {} times during this run",
                run.crashes
            );
            cancelled.iter().for_each(|approval| telemetry::record_decision(approval, &run));
            telemetry::record_end(&run);
        }
        self.inner.execution.resume(self, recovered.runs);
        // The database of the durable engine can respond later than the store, or not at all.
        self.renew_during(self.inner.execution.after_take_over(self)).await;
        Ok(counts)
    }

    /// Time between two renewals: a second at most, so that a cancellation or a decision in one
    /// process soon reaches the process that executes the run.
    fn renewal_pause(&self) -> Duration {
        (self.inner.owner.lease / 3).min(Duration::from_secs(1))
    }

    /// Renews the lease until `work` is complete, unless that takes less than one pause.
    async fn renew_during(&self, work: impl Future<Output = ()>) {
        let renew = async {
            loop {
                tokio::time::sleep(self.renewal_pause()).await;
                if let Err(error) = self.inner.store.renew(&self.inner.owner).await {
                    tracing::warn!(%error, "cannot renew the lease");
                }
                self.notify_runs_or_warn().await;
            }
        };
        tokio::select! {
            () = work => {}
            () = renew => {}
        }
    }

    /// Keeps the lease until the task is aborted.
    pub async fn keep_lease(self) {
        let mut renewals = tokio::time::interval(self.renewal_pause());
        renewals.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            renewals.tick().await;
            let recovered = if self.is_draining() {
                self.inner.store.renew(&self.inner.owner).await.map(|()| (0, 0)).map_err(Into::into)
            } else {
                self.recover().await
            };
            match recovered {
                Ok((0, 0)) => {}
                Ok((launched, failed)) => {
                    tracing::info!(launched, failed, "took over runs without an owner");
                }
                Err(error) => tracing::warn!(%error, "cannot renew the lease"),
            }
            self.notify_runs_or_warn().await;
        }
    }

    async fn notify_runs_or_warn(&self) {
        if let Err(error) = self.notify_runs().await {
            tracing::warn!(%error, "cannot read the runs of this process");
        }
    }

    /// Stops the segments of runs that another process has changed, and notifies the others of
    /// decisions that another process has stored.
    async fn notify_runs(&self) -> Result<()> {
        let segments = self.inner.in_flight.segments();
        if segments.is_empty() {
            return Ok(());
        }
        // Read after the segments: a run that is not owned now is not theirs any more.
        let owned = self.inner.store.owned(&self.inner.owner.id).await?;
        for (id, signals) in segments {
            if owned.contains(&id) { signals.notify_change() } else { signals.stop() }
        }
        Ok(())
    }

    /// Declares the workflows and agents, so that their counters start at zero: Prometheus does not
    /// see the increase of a counter that starts at 20. Observes the pending approvals and runs.
    pub fn declare_telemetry(&self, telemetry: &Telemetry, workflows: &[Workflow]) {
        for workflow in workflows {
            super::telemetry::declare(telemetry, workflow);
        }
        super::telemetry::observe_backlogs(telemetry, &self.inner.store, &self.inner.owner.id);
    }
}
