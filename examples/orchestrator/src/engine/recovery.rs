//! Recovery of runs that the previous process did not complete.

use super::{Engine, Result, telemetry};
use crate::domain::{RunStatus, Workflow};
use hub_otel::Telemetry;

impl Engine {
    /// Continues every run without a task. Returns the number of recovered and of crash-looped
    /// runs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(usize, usize)> {
        let limit = self.inner.options.crash_limit;
        let recovered = self.inner.store.recover(&self.inner.owner, limit).await?;
        let counts = (recovered.runs.len(), recovered.crash_looped.len());
        for run in recovered.crash_looped {
            tracing::error!(
                run = run.id,
                workflow = run.workflow,
                "the process crashed {} times during this run",
                run.crashes
            );
            telemetry::record_end(&run, RunStatus::Failed, Some("crash_loop"));
        }
        for run in recovered.runs {
            self.launch(run);
        }
        Ok(counts)
    }

    /// Declares the workflows and agents, so that their counters start at zero: Prometheus does not
    /// see the increase of a counter that starts at 20. Observes the pending approvals.
    pub fn declare_telemetry(&self, telemetry: &Telemetry, workflows: &[Workflow]) {
        for workflow in workflows {
            super::telemetry::declare(telemetry, workflow);
        }
        super::telemetry::observe_approvals(telemetry, &self.inner.store);
    }
}
