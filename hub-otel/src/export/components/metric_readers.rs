//! Metric readers of the application.
//!
//! A reader collects when it chooses to. The callbacks of observable instruments are not run by a
//! collection ([`observers`](crate::export::metrics::observers)): a task runs them periodically,
//! and before each flush, and a reader gets the values of the last run.

use crate::export::components::named::Named;
use crate::export::metrics::observers::{BUDGET, BUDGET_AT_SHUTDOWN, Observers};
use crate::export::runtime::{ExportPhase, spawn_blocking};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, Pipeline as SdkPipeline, Temporality};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The longest interval between two runs of the callbacks.
const MAX_INTERVAL: Duration = Duration::from_secs(30);

/// A reader as the SDK calls it: a panic of it is contained, and only this library shuts it down.
#[derive(Clone)]
pub(crate) struct CustomReader(pub(crate) Arc<Named<Arc<dyn MetricReader>>>);

impl CustomReader {
    fn call(&self, code: impl FnOnce(&dyn MetricReader) -> OTelSdkResult) -> OTelSdkResult {
        self.0.call(|reader| code(&**reader)).unwrap_or_else(|| {
            Err(OTelSdkError::InternalFailure(format!("{} panicked", self.0.name)))
        })
    }
}

impl std::fmt::Debug for CustomReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CustomReader").field(&self.0.name).finish()
    }
}

impl MetricReader for CustomReader {
    fn register_pipeline(&self, pipeline: Weak<SdkPipeline>) {
        self.0.call(|reader| reader.register_pipeline(pipeline));
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.call(|reader| reader.collect(metrics))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.call(MetricReader::force_flush)
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.call(|reader| reader.temporality(kind)).unwrap_or_default()
    }
}

/// The readers, with the task that serves them.
#[derive(Clone)]
pub(crate) struct CustomReaders {
    pub(crate) readers: Vec<CustomReader>,
    pub(crate) observers: Arc<Observers>,
    /// The interval of the periodic push.
    pub(crate) interval: Duration,
}

impl CustomReaders {
    /// Flushes all readers.
    pub(crate) async fn flush(&self) {
        if self.readers.is_empty() {
            return;
        }
        self.observers.run_all(BUDGET).await;
        let readers = self.readers.clone();
        let _ = spawn_blocking(move || {
            for reader in readers {
                let _ = reader.force_flush();
            }
        })
        .await;
    }

    /// Runs the callbacks periodically, and shuts the readers down at the shutdown.
    pub(crate) async fn run(self, mut phase: watch::Receiver<ExportPhase>) {
        let deadline = loop {
            let current = *phase.borrow_and_update();
            if let ExportPhase::Draining { deadline, .. } = current {
                break deadline;
            }
            tokio::select! {
                () = sleep(self.interval.min(MAX_INTERVAL)) => self.observers.run_all(BUDGET).await,
                changed = phase.changed() => if changed.is_err() { return },
            }
        };
        let _ = timeout_at(deadline, self.observers.run_all(BUDGET_AT_SHUTDOWN)).await;
        let limit = deadline.saturating_duration_since(Instant::now());
        let shutdown = spawn_blocking(move || {
            for reader in &self.readers {
                let _ = reader.call(|reader| reader.shutdown_with_timeout(limit));
            }
        });
        let _ = timeout(limit, shutdown).await;
    }
}
