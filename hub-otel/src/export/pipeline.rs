//! The running export pipeline of one instance: its providers, queues and tasks.

pub(crate) mod build;

use crate::config::Config;
use crate::config::signal::Signal;
use crate::export::accounting::Accounting;
use crate::export::console::ConsoleExporter;
use crate::export::diagnostics::Diagnostics;
use crate::export::encode::ScopedLogRecord;
use crate::export::metrics::isolated_meters::IsolatedMeterProvider;
use crate::export::metrics::periodic_push::FlushRequest;
use crate::export::queue::SignalQueue;
use crate::export::retry::EndpointStates;
use crate::export::runtime::{ExportPhase, ExportRuntime};
use crate::instance::Instance;
use crate::telemetry::report::Report;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::SpanData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// The parts of one instance.
pub(crate) struct Pipeline {
    pub(crate) config: Config,
    pub(crate) instance: Arc<Instance>,
    pub(crate) tracer_provider: SdkTracerProvider,
    /// The meters of the application.
    pub(crate) meter_provider: IsolatedMeterProvider,
    /// `None` if log records are not exported.
    pub(crate) logger_provider: Option<SdkLoggerProvider>,
    pub(crate) accounting: Vec<(Signal, Arc<Accounting>)>,
    pub(crate) endpoints: EndpointStates,
    /// `None` if spans are not exported by OTLP.
    pub(crate) spans: Option<SignalQueue<SpanData>>,
    /// `None` if log records are not exported by OTLP.
    pub(crate) log_records: Option<SignalQueue<ScopedLogRecord>>,
    /// `None` if metrics are neither pushed nor printed.
    pub(crate) metric_push: Option<Arc<FlushRequest>>,
    pub(crate) console: Option<Arc<ConsoleExporter>>,
    pub(crate) metrics_addr: Option<SocketAddr>,
    /// The server of `/metrics`. Taken by the shutdown.
    pub(crate) metrics_server: Mutex<Option<JoinHandle<()>>>,
    pub(crate) phase: watch::Sender<ExportPhase>,
    pub(crate) runtime: ExportRuntime,
    /// The tasks that end at shutdown. Taken by the shutdown.
    pub(crate) tasks: Mutex<Option<JoinSet<()>>>,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

impl Pipeline {
    /// Returns the current delivery counts.
    pub(crate) fn report(&self, elapsed: Duration) -> Report {
        let ended_by_shutdown = self.instance.open_units.ended_by_shutdown();
        let mut report = Report { elapsed, ended_by_shutdown, ..Report::default() };
        for (signal, accounting) in &self.accounting {
            let counts = accounting.report();
            match signal {
                Signal::Traces => report.traces = counts,
                Signal::Metrics => report.metrics = counts,
                Signal::Logs => report.logs = counts,
            }
        }
        report
    }

    /// Exports all finished items, at most for `limit`.
    pub(crate) async fn flush(&self, limit: Duration) -> Report {
        let began = Instant::now();
        let deadline = tokio::time::Instant::from_std(began + limit);
        // Requested before the queues are flushed, so that all signals are exported at once.
        let push = self.metric_push.as_ref().map(|push| (push, push.request()));
        let traces = flush_queue(self.spans.as_ref());
        let logs = flush_queue(self.log_records.as_ref());
        let metrics = async {
            if let Some((push, request)) = push {
                push.wait(request).await;
            }
        };
        let _ = timeout_at(deadline, async { tokio::join!(traces, logs, metrics) }).await;
        if let Some(console) = &self.console {
            console.print(true);
        }
        self.report(began.elapsed())
    }

    /// Closes the queues: later items are dropped and counted.
    pub(crate) fn close_queues(&self) {
        if let Some(spans) = &self.spans {
            spans.queue.close();
        }
        if let Some(log_records) = &self.log_records {
            log_records.queue.close();
        }
    }

    /// Closes the listener of `/metrics`: the next instance may use its port at once.
    pub(crate) async fn stop_metrics_server(&self) {
        let server = self.metrics_server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.abort();
            let _ = server.await;
        }
    }

    /// Counts all pending items as dropped, for `reason`.
    pub(crate) fn close_accounting(&self, reason: &'static str) {
        for (_, accounting) in &self.accounting {
            accounting.close(reason);
        }
    }
}

async fn flush_queue<T>(queue: Option<&SignalQueue<T>>) {
    if let Some(queue) = queue {
        queue.flush().await;
    }
}
