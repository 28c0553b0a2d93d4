//! The first thing a process does: takes up what the one before it left behind.

use super::{Engine, Result, telemetry};
use crate::domain::{RunStatus, Workflow};
use hub_otel::Telemetry;

impl Engine {
    /// Goes on with every run that nobody works on; gives back how many, and how many kept crashing.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn recover(&self) -> Result<(usize, usize)> {
        let limit = self.inner.options.crash_limit;
        let recovered = self.inner.store.recover(&self.inner.owner, limit).await?;
        let counts = (recovered.runs.len(), recovered.crash_looped.len());
        for run in recovered.crash_looped {
            tracing::error!(
                run = run.id,
                workflow = run.workflow,
                "the process died over it {} times",
                run.crashes
            );
            telemetry::ended_without_segment(&run, RunStatus::Failed, Some("crash_loop"));
        }
        for run in recovered.runs {
            self.launch(run);
        }
        Ok(counts)
    }

    /// Tells telemetry what there is to count, before anything happens: a counter that is born at 20 has not increased.
    pub fn announce(&self, telemetry: &Telemetry, workflows: &[Workflow]) {
        for workflow in workflows {
            super::telemetry::declare(telemetry, workflow);
        }
        super::telemetry::watch(telemetry, &self.inner.store);
    }
}
