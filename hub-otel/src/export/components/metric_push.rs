//! Metric exporters of the application, which the periodic push calls.

use crate::contain::contain;
use crate::export::components::exporters::outcome;
use crate::export::components::named::Named;
use crate::export::diagnostics::Diagnostics;
use crate::export::queue::ExportOutcome;
use crate::export::runtime::spawn_blocking;
use futures_executor::block_on;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// A metric exporter without its type. Its methods block.
pub(crate) trait ErasedMetricExporter: Send + Sync {
    fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult;
    fn shutdown(&self, timeout: Duration) -> OTelSdkResult;
    fn temporality(&self) -> Temporality;
}

impl<E: PushMetricExporter> ErasedMetricExporter for E {
    fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        block_on(PushMetricExporter::export(self, metrics))
    }

    fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        PushMetricExporter::temporality(self)
    }
}

/// A metric exporter as the periodic push calls it.
pub(crate) struct CustomMetricExporter {
    exporter: Arc<Named<Box<dyn ErasedMetricExporter>>>,
    /// Held by the thread of an export: an exporter is never called concurrently.
    turn: Arc<Mutex<()>>,
}

impl CustomMetricExporter {
    pub(crate) fn new(exporter: Named<Box<dyn ErasedMetricExporter>>) -> Self {
        Self { exporter: Arc::new(exporter), turn: Arc::default() }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.exporter.name
    }

    /// Returns the temporality that the exporter requires: cumulative if it panics.
    pub(crate) fn temporality(&self) -> Temporality {
        self.exporter.call(|exporter| exporter.temporality()).unwrap_or(Temporality::Cumulative)
    }

    /// Exports `metrics` on a blocking thread, at most for `limit`.
    pub(crate) async fn export(
        &self,
        metrics: ResourceMetrics,
        limit: Duration,
        diagnostics: &Diagnostics,
    ) -> ExportOutcome {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let exporter = Arc::clone(&self.exporter);
        let export = spawn_blocking(move || {
            let _turn = turn;
            contain(|| exporter.component.export(&metrics))
        });
        let result = timeout(limit, export).await.ok().map(Result::ok);
        outcome(self.name(), result, limit, diagnostics)
    }

    /// Shuts the exporter down on a blocking thread.
    pub(crate) async fn shut_down(&self, limit: Duration) {
        let exporter = Arc::clone(&self.exporter);
        let shutdown = spawn_blocking(move || {
            exporter.call(|exporter| exporter.shutdown(limit));
        });
        let _ = timeout(limit, shutdown).await;
    }
}

/// Returns the number of data points.
pub(crate) fn count_points(metrics: &ResourceMetrics) -> usize {
    fn points<T: Copy>(data: &MetricData<T>) -> usize {
        match data {
            MetricData::Gauge(gauge) => gauge.data_points().count(),
            MetricData::Sum(sum) => sum.data_points().count(),
            MetricData::Histogram(histogram) => histogram.data_points().count(),
            MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
        }
    }
    let metrics = metrics.scope_metrics().flat_map(|scope| scope.metrics());
    metrics
        .map(|metric| match metric.data() {
            AggregatedMetrics::F64(data) => points(data),
            AggregatedMetrics::U64(data) => points(data),
            AggregatedMetrics::I64(data) => points(data),
        })
        .sum()
}
