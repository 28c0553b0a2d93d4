//! Pushes metrics to the Collector (OTEL_METRICS_EXPORTER=otlp) and prints them (console), every ten seconds.
//!
//! Points are cumulative: while a push is tried again no other one is begun, and the next one carries everything.

use crate::config::{Protocol, Signal};
use crate::export::accounting::{Ledger, reason};
use crate::export::diagnostics::Voice;
use crate::export::encode;
use crate::export::metrics::{OnDemand, overflow};
use crate::export::queue::Settlement;
use crate::export::retry::{Courier, Phase};
use crate::telemetry::redaction::{DenyList, REDACTED};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio::time::timeout_at;

/// The loop and what it needs.
pub(crate) struct Push {
    pub(crate) reader: OnDemand,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) courier: Option<Courier>,
    pub(crate) console: bool,
    pub(crate) protocol: Protocol,
    pub(crate) deny: DenyList,
    pub(crate) voice: Arc<Voice>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) flush: Arc<Flush>,
}

/// Asks for a push now, and says when it is done.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    pub(crate) asked: AtomicU64,
    pub(crate) done: AtomicU64,
    pub(crate) wake: Notify,
    pub(crate) rings: Notify,
}

/// Accounts for points that are under way when their task is given up.
struct UnderWay<'a> {
    ledger: &'a Ledger,
    points: usize,
}

impl UnderWay<'_> {
    fn settle(mut self, settlement: Settlement) {
        let points = std::mem::take(&mut self.points);
        match settlement {
            Settlement::Accepted { rejected } => {
                let rejected = usize::try_from(rejected).unwrap_or(usize::MAX).min(points);
                self.ledger.accepted(points - rejected, rejected);
            }
            Settlement::Failed(reason) => self.ledger.failed(reason, points),
            Settlement::Dropped(reason) => self.ledger.dropped(reason, points),
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.points > 0 {
            if std::thread::panicking() {
                self.ledger.failed(Cow::Borrowed(reason::PANIC), self.points);
            } else {
                self.ledger.dropped(reason::DEADLINE, self.points);
            }
        }
    }
}

impl Push {
    /// Pushes until shutdown, and once more then.
    pub(crate) async fn run(self) {
        loop {
            let mut phase = self.phase.clone();
            let now = *phase.borrow_and_update();
            if let Phase::Draining { deadline, .. } = now {
                let _ = timeout_at(deadline, self.push_caught()).await;
                self.done(u64::MAX);
                return;
            }
            tokio::select! {
                () = sleep(self.interval) => {}
                () = self.flush.wake.notified() => {}
                _ = phase.changed() => continue,
            }
            let asked = self.flush.asked.load(SeqCst);
            // A push that is under way when shutdown begins goes on, but no longer than until its deadline.
            let mut until = self.phase.clone();
            tokio::select! {
                () = self.push_caught() => {}
                () = deadline(&mut until) => {}
            }
            self.done(asked);
        }
    }

    fn done(&self, asked: u64) {
        self.flush.done.fetch_max(asked, SeqCst);
        self.flush.rings.notify_waiters();
    }

    /// A push whose panic ends nothing but itself.
    async fn push_caught(&self) {
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
        let reader = self.reader.clone();
        // On a thread of its own: a callback of the user's that hangs holds up nothing else.
        let read = timeout(self.timeout, spawn_blocking(move || reader.read())).await;
        let Ok(Ok(Some(metrics))) = read else { return };
        overflow::warn(&overflow::overflowed(&metrics), &self.voice);
        if self.console {
            print(&metrics, &self.deny);
        }
        let Some(courier) = &self.courier else { return };
        let Some((body, points)) = encode::metrics(&metrics, &self.deny, self.protocol) else {
            return;
        };
        drop(metrics);
        if points == 0 {
            return;
        }
        self.ledger.finished(points);
        let under_way = UnderWay { ledger: &self.ledger, points };
        under_way.settle(courier.deliver(body).await);
    }
}

/// Waits for shutdown's deadline.
async fn deadline(phase: &mut watch::Receiver<Phase>) {
    loop {
        let now = *phase.borrow_and_update();
        match now {
            Phase::Draining { deadline, .. } => return tokio::time::sleep_until(deadline).await,
            Phase::Running => {
                if phase.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// A table of what there is, for people.
fn print(metrics: &ResourceMetrics, deny: &DenyList) {
    use std::fmt::Write as _;
    use std::io::Write as _;
    let mut text = String::new();
    for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
        let _ = writeln!(text, "metric {} {}", metric.name(), points_of(metric, deny));
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The points of one metric, short: labels and value, or count and sum.
fn points_of(metric: &opentelemetry_sdk::metrics::data::Metric, deny: &DenyList) -> String {
    use opentelemetry_sdk::metrics::data::AggregatedMetrics;
    use opentelemetry_sdk::metrics::data::MetricData;
    fn labels<'a>(
        attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>,
        deny: &DenyList,
    ) -> String {
        let list: Vec<_> = attributes
            .map(|label| match deny.denies(label.key.as_str()) {
                true => format!("{}={REDACTED}", label.key),
                false => format!("{}={}", label.key, label.value),
            })
            .collect();
        format!("{{{}}}", list.join(","))
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

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push")
            .field("signal", &Signal::Metrics)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
