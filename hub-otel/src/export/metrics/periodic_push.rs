//! Periodic push of metrics to the Collector (`OTEL_METRICS_EXPORTER=otlp`) and to stderr
//! (`console`).
//!
//! One push at a time: no new one starts while an export is retried. Cumulative points lose nothing
//! by that, because the next push contains all of them.

use crate::config::otlp::Protocol;
use crate::config::signal::Signal;
use crate::export::accounting::Accounting;
use crate::export::components::metric_push::{CustomMetricExporter, count_points};
use crate::export::diagnostics::Diagnostics;
use crate::export::encode::{encode_metrics, is_text};
use crate::export::metrics::observers::{BUDGET, BUDGET_AT_SHUTDOWN, Observers};
use crate::export::metrics::self_metrics::{overflowed_instruments, warn_overflow};
use crate::export::metrics::{ManualMetricReader, warn_failed_collection};
use crate::export::queue::ExportOutcome;
use crate::export::retry::RetryingExporter;
use crate::export::runtime::ExportPhase;
use crate::export::stderr;
use crate::semconv::{drop_reason, failure_reason};
use crate::telemetry::redaction::DenyList;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout_at;

/// The push loop and its dependencies.
pub(crate) struct PeriodicPush {
    pub(crate) reader: ManualMetricReader,
    pub(crate) observers: Arc<Observers>,
    pub(crate) accounting: Arc<Accounting>,
    pub(crate) destination: Destination,
    pub(crate) deny: DenyList,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) phase: watch::Receiver<ExportPhase>,
    pub(crate) flush_request: Arc<FlushRequest>,
}

/// The destination of the pushes.
pub(crate) enum Destination {
    /// The Collector, stderr, or both.
    Own {
        exporter: Option<RetryingExporter>,
        protocol: Protocol,
        /// Prints the metrics to stderr.
        prints: bool,
    },
    /// An exporter of the application.
    Custom(CustomMetricExporter),
}

/// Requests of an immediate push, numbered.
#[derive(Debug, Default)]
pub(crate) struct FlushRequest {
    /// The number of the last request.
    requested: AtomicU64,
    /// The number of the last request that a push completed.
    completed: AtomicU64,
    wake: Notify,
    notify: Notify,
}

impl FlushRequest {
    /// Requests a push. Returns the number for [`wait`](Self::wait).
    pub(crate) fn request(&self) -> u64 {
        let request = self.requested.fetch_add(1, SeqCst) + 1;
        self.wake.notify_one();
        request
    }

    /// Waits until a push that began after `request` completes.
    pub(crate) async fn wait(&self, request: u64) {
        loop {
            // Created before the check: a completion in between is not missed.
            let notified = self.notify.notified();
            if self.completed.load(SeqCst) >= request {
                return;
            }
            notified.await;
        }
    }

    fn complete(&self, request: u64) {
        self.completed.fetch_max(request, SeqCst);
        self.notify.notify_waiters();
    }
}

/// Points in flight. Counted as dropped or failed if the push is cancelled or panics.
struct PointsInFlight<'a> {
    accounting: &'a Accounting,
    points: usize,
}

impl PointsInFlight<'_> {
    fn complete(mut self, outcome: ExportOutcome) {
        let points = std::mem::take(&mut self.points);
        match outcome {
            ExportOutcome::Accepted { rejected } => {
                let rejected = usize::try_from(rejected).unwrap_or(usize::MAX).min(points);
                self.accounting.accepted(points - rejected, rejected);
            }
            ExportOutcome::Failed(reason) => self.accounting.failed(reason, points),
            ExportOutcome::Dropped(reason) => self.accounting.dropped(reason, points),
        }
    }
}

impl Drop for PointsInFlight<'_> {
    fn drop(&mut self) {
        if self.points > 0 {
            if std::thread::panicking() {
                self.accounting.failed(Cow::Borrowed(failure_reason::PANIC), self.points);
            } else {
                self.accounting.dropped(drop_reason::SHUTDOWN_DEADLINE, self.points);
            }
        }
    }
}

impl PeriodicPush {
    /// Pushes periodically until the shutdown, and once at the shutdown.
    pub(crate) async fn run(self) {
        loop {
            let mut phase = self.phase.clone();
            let current = *phase.borrow_and_update();
            if let ExportPhase::Draining { deadline, .. } = current {
                let _ = timeout_at(deadline, self.push_catching_panics()).await;
                self.flush_request.complete(u64::MAX);
                if let Destination::Custom(exporter) = &self.destination {
                    exporter.shut_down(deadline.saturating_duration_since(Instant::now())).await;
                }
                return;
            }
            tokio::select! {
                () = sleep(self.interval) => {}
                () = self.flush_request.wake.notified() => {}
                _ = phase.changed() => continue,
            }
            let request = self.flush_request.requested.load(SeqCst);
            // A push in flight continues after the begin of the shutdown, until its deadline.
            let mut phase = self.phase.clone();
            tokio::select! {
                () = self.push_catching_panics() => {}
                () = shutdown_deadline(&mut phase) => {}
            }
            self.flush_request.complete(request);
        }
    }

    /// Pushes once. A panic ends only this push.
    async fn push_catching_panics(&self) {
        use std::future::Future;
        use std::panic::AssertUnwindSafe;
        use std::panic::catch_unwind;
        let mut push = Box::pin(self.push());
        std::future::poll_fn(move |context| {
            catch_unwind(AssertUnwindSafe(|| push.as_mut().poll(context)))
                .unwrap_or(std::task::Poll::Ready(()))
        })
        .await;
    }

    async fn push(&self) {
        let is_draining = matches!(*self.phase.borrow(), ExportPhase::Draining { .. });
        let budget = if is_draining { BUDGET_AT_SHUTDOWN } else { BUDGET };
        self.observers.run_all(budget.min(self.timeout)).await;
        let metrics = match self.reader.read() {
            Ok(metrics) => metrics,
            Err(error) => return warn_failed_collection(&error, &self.diagnostics),
        };
        warn_overflow(&overflowed_instruments(&metrics), &self.diagnostics);
        match &self.destination {
            Destination::Own { exporter, protocol, prints } => {
                if *prints {
                    print_metrics(&metrics, &self.deny);
                }
                let Some(exporter) = exporter else { return };
                let Some((body, points)) = encode_metrics(&metrics, &self.deny, *protocol) else {
                    return;
                };
                drop(metrics);
                self.account(points, exporter.export(body)).await;
            }
            Destination::Custom(exporter) => {
                let points = count_points(&metrics);
                let export = exporter.export(metrics, self.timeout, &self.diagnostics);
                self.account(points, export).await;
            }
        }
    }

    /// Awaits the export of `points`, unless there are none, and counts them.
    async fn account(&self, points: usize, export: impl Future<Output = ExportOutcome>) {
        if points == 0 {
            return;
        }
        self.accounting.finished(points);
        let in_flight = PointsInFlight { accounting: &self.accounting, points };
        in_flight.complete(export.await);
    }
}

/// Waits for the deadline of the shutdown.
async fn shutdown_deadline(phase: &mut watch::Receiver<ExportPhase>) {
    loop {
        let current = *phase.borrow_and_update();
        match current {
            ExportPhase::Draining { deadline, .. } => {
                return tokio::time::sleep_until(deadline).await;
            }
            ExportPhase::Running => {
                if phase.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Prints all metrics to stderr, one line each.
fn print_metrics(metrics: &ResourceMetrics, deny: &DenyList) {
    use std::fmt::Write as _;
    let mut text = String::new();
    for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
        let _ = writeln!(text, "metric {} {}", metric.name(), describe_points(metric, deny));
    }
    stderr::print(text);
}

/// Returns the points of one metric as text: labels and value, or labels, count and sum.
fn describe_points(metric: &opentelemetry_sdk::metrics::data::Metric, deny: &DenyList) -> String {
    use opentelemetry_sdk::metrics::data::AggregatedMetrics;
    use opentelemetry_sdk::metrics::data::MetricData;
    fn labels<'a>(
        attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>,
        deny: &DenyList,
    ) -> String {
        let pairs: Vec<_> = attributes
            .map(|label| match is_text(&label.value) && deny.redacts(label.key.as_str()) {
                true => {
                    let value = deny.redact_label(label.key.as_str(), &label.value.as_str());
                    format!("{}={value}", label.key)
                }
                false => format!("{}={}", label.key, label.value),
            })
            .collect();
        format!("{{{}}}", pairs.join(","))
    }
    fn points<T: Copy + std::fmt::Display>(data: &MetricData<T>, deny: &DenyList) -> Vec<String> {
        match data {
            MetricData::Gauge(gauge) => gauge
                .data_points()
                .map(|point| format!("{} {}", labels(point.attributes(), deny), point.value()))
                .collect(),
            MetricData::Sum(sum) => sum
                .data_points()
                .map(|point| format!("{} {}", labels(point.attributes(), deny), point.value()))
                .collect(),
            MetricData::Histogram(histogram) => histogram
                .data_points()
                .map(|point| {
                    let labels = labels(point.attributes(), deny);
                    format!("{labels} count {} sum {}", point.count(), point.sum())
                })
                .collect(),
            MetricData::ExponentialHistogram(_) => Vec::new(),
        }
    }
    let points = match metric.data() {
        AggregatedMetrics::F64(data) => points(data, deny),
        AggregatedMetrics::U64(data) => points(data, deny),
        AggregatedMetrics::I64(data) => points(data, deny),
    };
    points.join("; ")
}

impl std::fmt::Debug for PeriodicPush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeriodicPush")
            .field("signal", &Signal::Metrics)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
