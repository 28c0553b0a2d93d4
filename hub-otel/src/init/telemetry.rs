//! The guard: what `init` gives back, and what delivers everything when it ends.

use super::config::{Config, Exporter, Signal};
use super::console::Console;
use super::deliver::Phase;
use super::encode::Record;
use super::error::InitError;
use super::ledger::Ledger;
use super::metrics::push::Flush;
use super::pipeline::{self, Line};
use super::report::Report;
use super::runtime::Private;
use super::subscriber;
use super::voice::Voice;
use crate::instance::{self, Instance};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// How long a guard that is merely dropped delivers.
const DROP: Duration = Duration::from_secs(2);
/// How much longer than its deadline a caller waits for the thread that keeps it.
const GRACE: Duration = Duration::from_millis(200);

/// Running telemetry. Keep it until the program ends: dropping it shuts telemetry down.
///
/// Everything that it does happens on a thread of its own, so that each call works from any runtime, from none, from
/// `Drop` and from a panic hook.
#[must_use = "dropping the guard shuts telemetry down"]
pub struct Telemetry {
    inner: Option<Arc<Inner>>,
    config: Arc<Config>,
}

pub(crate) struct Inner {
    pub(super) config: Config,
    pub(super) instance: Arc<Instance>,
    pub(crate) traces: SdkTracerProvider,
    pub(crate) metrics: SdkMeterProvider,
    pub(crate) logs: Option<SdkLoggerProvider>,
    pub(super) ledgers: Vec<(Signal, Arc<Ledger>)>,
    pub(super) spans: Option<Line<SpanData>>,
    pub(super) records: Option<Line<Record>>,
    pub(super) push: Option<Arc<Flush>>,
    pub(super) console: Option<Arc<Console>>,
    pub(super) metrics_addr: Option<SocketAddr>,
    pub(super) tell: watch::Sender<Phase>,
    pub(super) private: Private,
    pub(super) tasks: Mutex<Option<JoinSet<()>>>,
    pub(super) shutdown: Mutex<Option<Report>>,
    pub(super) finished: Notify,
    pub(super) finished_blocking: Condvar,
    pub(super) voice: Arc<Voice>,
    /// Whether this is the process' own.
    pub(super) installed: AtomicBool,
    /// Whether somebody took its layer.
    pub(super) layered: AtomicBool,
    #[cfg(feature = "process")]
    pub(super) watches: Mutex<Vec<crate::process::Watch>>,
}

/// Where each signal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// `false`: OTEL_SDK_DISABLED, or the library was built without its feature `enabled`.
    pub enabled: bool,
    /// Where `/metrics` is served; `None` where it is not, e.g. because the default port was taken.
    pub metrics_addr: Option<SocketAddr>,
    /// Where traces go, in words.
    pub traces: String,
    /// Where metrics go, in words.
    pub metrics: String,
    /// Where logs go, in words.
    pub logs: String,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.enabled {
            return f.write_str("telemetry is disabled");
        }
        write!(f, "traces: {}; metrics: {}; logs: {}", self.traces, self.metrics, self.logs)
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Telemetry {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let config = Arc::new(inner.config.clone());
        Self { inner: Some(inner), config }
    }

    /// Telemetry that does nothing.
    pub(super) fn inert(config: Config) -> Self {
        Self { inner: None, config: Arc::new(config) }
    }

    /// What units of work record into; `None` when telemetry is disabled.
    pub(crate) fn instance(&self) -> Option<&Arc<Instance>> {
        self.inner.as_ref().map(|inner| &inner.instance)
    }

    pub(crate) fn inner(&self) -> Option<&Arc<Inner>> {
        self.inner.as_ref()
    }

    /// The settings that are in force. Printing them shows no secret.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where each signal goes.
    #[must_use]
    pub fn status(&self) -> Status {
        let words = |signal: Signal| {
            let places: Vec<_> = self
                .config
                .exporters(signal)
                .iter()
                .map(|exporter| match exporter {
                    Exporter::Otlp => {
                        let otlp = self.config.otlp(signal);
                        format!("{} ({})", otlp.endpoint.value, otlp.protocol.as_str())
                    }
                    Exporter::Console => "stderr".to_owned(),
                    Exporter::Prometheus => match self.metrics_addr() {
                        Some(address) => format!("http://{address}/metrics"),
                        None => "not served".to_owned(),
                    },
                })
                .collect();
            if places.is_empty() { "nowhere".to_owned() } else { places.join(" and ") }
        };
        Status {
            enabled: self.inner.is_some(),
            metrics_addr: self.metrics_addr(),
            traces: words(Signal::Traces),
            metrics: words(Signal::Metrics),
            logs: words(Signal::Logs),
        }
    }

    /// Where `/metrics` is served.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.inner.as_ref().and_then(|inner| inner.metrics_addr)
    }

    /// The ledger as it stands.
    #[must_use]
    pub fn report(&self) -> Report {
        self.inner.as_ref().map(|inner| inner.report(Duration::ZERO)).unwrap_or_default()
    }

    /// The layer that hands `tracing` events over as log records, to compose with a subscriber of your own.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        if let Some(inner) = &self.inner {
            inner.layered.store(true, Ordering::SeqCst);
        }
        let provider = self.inner.as_ref().and_then(|inner| inner.logs.as_ref());
        subscriber::layer::<S>(provider, &self.config)
    }

    /// Makes this instance the process' own, after `build()`: for a program that sets a subscriber with
    /// [`Telemetry::layer`] in it first. [`Builder::install`](crate::Builder::install) does both at once.
    ///
    /// # Errors
    /// When another instance is installed already: nothing is ever replaced.
    pub fn install(&self) -> Result<(), InitError> {
        let Some(inner) = &self.inner else { return Ok(()) };
        instance::set_global(Arc::clone(&inner.instance)).map_err(|_| InitError::already_installed())?;
        inner.installed.store(true, Ordering::SeqCst);
        opentelemetry::global::set_tracer_provider(inner.traces.clone());
        opentelemetry::global::set_meter_provider(inner.metrics.clone());
        opentelemetry::global::set_text_map_propagator(pipeline::propagator(&inner.config));
        inner.voice.say(&format!("Instrumentation started ({})", self.status()));
        let is_set = subscriber::set(inner.logs.as_ref(), &inner.config);
        if !is_set && inner.logs.is_some() && !inner.layered.load(Ordering::SeqCst) {
            inner.voice.say("a tracing subscriber is set already and stays; add `telemetry.layer()` to it to export log records");
        }
        Ok(())
    }

    /// Measures how late timers fire on `application`, the runtime that the program's own work runs on. `init` does so by
    /// itself when it is called on that runtime.
    #[cfg(feature = "process")]
    pub fn watch(&self, application: &tokio::runtime::Handle) {
        if let Some(inner) = &self.inner {
            let watch =
                crate::process::watch(&inner.instance, Some(application.clone()), inner.private.handle());
            inner.watches.lock().unwrap_or_else(PoisonError::into_inner).push(watch);
        }
    }

    /// Delivers what has ended so far. Returns what became of it; what could not be delivered within the shutdown
    /// timeout stays pending and is tried again.
    pub async fn flush(&self) -> Report {
        let Some(inner) = self.inner.clone() else { return Report::default() };
        if inner.private.is_orphaned() {
            return Report::default();
        }
        let timeout = *inner.config.shutdown_timeout;
        let (done, finished) = tokio::sync::oneshot::channel();
        let handle = inner.private.handle().clone();
        handle.spawn(async move { drop(done.send(inner.flush(timeout).await)) });
        finished.await.unwrap_or_else(|_| self.report())
    }

    /// As [`Telemetry::flush`], for code that cannot wait: it blocks the calling thread.
    pub fn flush_blocking(&self) -> Report {
        let Some(inner) = self.inner.clone() else { return Report::default() };
        if inner.private.is_orphaned() {
            return Report::default();
        }
        let timeout = *inner.config.shutdown_timeout;
        let (done, finished) = std::sync::mpsc::sync_channel(1);
        let handle = inner.private.handle().clone();
        handle.spawn(async move { drop(done.send(inner.flush(timeout).await)) });
        finished.recv_timeout(timeout + GRACE).unwrap_or_else(|_| self.report())
    }

    /// Delivers everything and stops. Takes no longer than the shutdown timeout, 5 s by default.
    ///
    /// # Cancellation
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown(mut self) -> Report {
        let Some(inner) = self.inner.take() else { return Report::default() };
        inner.begin(*inner.config.shutdown_timeout);
        inner.wait().await
    }

    /// As [`Telemetry::shutdown`], for programs without a runtime: it blocks the calling thread.
    pub fn shutdown_blocking(mut self) -> Report {
        let Some(inner) = self.inner.take() else { return Report::default() };
        let timeout = *inner.config.shutdown_timeout;
        inner.begin(timeout);
        inner.wait_blocking(timeout)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let timeout = DROP.min(*inner.config.shutdown_timeout);
            inner.begin(timeout);
            inner.wait_blocking(timeout);
        }
    }
}

impl Inner {
    fn report(&self, elapsed: Duration) -> Report {
        let mut report = Report { elapsed, ..Report::default() };
        for (signal, ledger) in &self.ledgers {
            let part = ledger.report();
            match signal {
                Signal::Traces => report.traces = part,
                Signal::Metrics => report.metrics = part,
                Signal::Logs => report.logs = part,
            }
        }
        report
    }

    async fn flush(&self, within: Duration) -> Report {
        let began = Instant::now();
        let deadline = tokio::time::Instant::from_std(began + within);
        let push = self.push.as_ref().map(|push| {
            let asked = push.asked.fetch_add(1, Ordering::SeqCst) + 1;
            push.wake.notify_one();
            (push, asked)
        });
        let traces = flush_queue(self.spans.as_ref());
        let logs = flush_queue(self.records.as_ref());
        let metrics = async {
            let Some((push, asked)) = push else { return };
            loop {
                let rings = push.rings.notified();
                if push.done.load(Ordering::SeqCst) >= asked {
                    return;
                }
                rings.await;
            }
        };
        let _ = timeout_at(deadline, async { tokio::join!(traces, logs, metrics) }).await;
        if let Some(console) = &self.console {
            console.print(true);
        }
        self.report(began.elapsed())
    }

    /// Starts the shutdown, once.
    pub(super) fn begin(self: &Arc<Self>, within: Duration) {
        if self.private.is_orphaned() {
            return;
        }
        let Some(mut tasks) = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let began = Instant::now();
        let since = tokio::time::Instant::from_std(began);
        let deadline = since + within;
        let inner = Arc::clone(self);
        let finish = Finish(Arc::clone(self), began);
        self.private.handle().spawn(async move {
            let _finish = finish;
            if let Some((queue, _)) = &inner.spans {
                queue.close();
            }
            if let Some((queue, _)) = &inner.records {
                queue.close();
            }
            inner.tell.send_replace(Phase::Draining { since, deadline });
            // All signals at once: each keeps the deadline itself, this one is for a task that does not.
            let _ =
                timeout_at(deadline + GRACE / 2, async { while tasks.join_next().await.is_some() {} }).await;
        });
    }

    /// Waits for the shutdown to end, on any runtime.
    async fn wait(&self) -> Report {
        loop {
            let finished = self.finished.notified();
            if let Some(report) = self.ended() {
                return report;
            }
            finished.await;
        }
    }

    /// The report, once there is one; at once in a child process, which has nobody to wait for.
    fn ended(&self) -> Option<Report> {
        if self.private.is_orphaned() {
            return Some(Report::default());
        }
        self.shutdown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wait_blocking(&self, within: Duration) -> Report {
        if self.private.is_orphaned() {
            return Report::default();
        }
        let report = self.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
        let (report, _) = self
            .finished_blocking
            .wait_timeout_while(report, within + GRACE, |report| report.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        report.clone().unwrap_or_else(|| self.report(within))
    }
}

/// Ends the shutdown, however its task does: whoever waits must not wait for ever.
struct Finish(Arc<Inner>, Instant);

impl Drop for Finish {
    fn drop(&mut self) {
        let Self(inner, began) = self;
        let report = inner.report(began.elapsed());
        // An instance that is not the process' own speaks through its report alone.
        if inner.installed.load(Ordering::SeqCst) {
            if report.is_complete() {
                inner.voice.say("Shutdown complete");
            } else {
                let lost = report.lost() + pending(&report);
                inner.voice.say(&format!("Shutdown error: {lost} items were lost ({report})"));
            }
        }
        *inner.shutdown.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        inner.finished.notify_waiters();
        inner.finished_blocking.notify_all();
        inner.private.stop();
    }
}

fn pending(report: &Report) -> u64 {
    Signal::ALL.iter().map(|signal| report.signal(*signal).pending).sum()
}

async fn flush_queue<T>(queue: Option<&Line<T>>) {
    let Some((queue, flush)) = queue else { return };
    let next = queue.next();
    loop {
        let settled = queue.settled.notified();
        if queue.is_settled_before(next) {
            return;
        }
        flush.notify_one();
        settled.await;
    }
}
