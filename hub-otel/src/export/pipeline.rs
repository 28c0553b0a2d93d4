//! The running export pipeline of one instance: its providers, queues and tasks.

pub(crate) mod build;

use crate::config::Config;
use crate::config::signal::Signal;
use crate::export::components::exporters::LogItem;
use crate::export::components::log_processors::LogProcessors;
use crate::export::components::metric_readers::CustomReaders;
use crate::export::components::span_processors::SpanProcessors;
use crate::export::console::ConsoleExporter;
use crate::export::delivery::Delivery;
use crate::export::diagnostics::Diagnostics;
use crate::export::ended_span::EndedSpan;
use crate::export::metrics::isolated_meters::IsolatedMeterProvider;
use crate::export::metrics::periodic_push::FlushRequest;
use crate::export::queue::SignalQueue;
use crate::export::queued_log::QueuedLog;
use crate::export::retry::EndpointStates;
use crate::export::runtime::{ExportPhase, ExportRuntime, spawn_blocking};
use crate::instance::Instance;
use crate::telemetry::report::{ExporterReport, Report};
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
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) endpoints: EndpointStates,
    /// `None` if spans are not exported by OTLP.
    pub(crate) spans: Option<SignalQueue<EndedSpan>>,
    /// `None` if log records are not exported by OTLP.
    pub(crate) log_records: Option<SignalQueue<QueuedLog>>,
    /// One per exporter of metrics.
    pub(crate) metric_pushes: Vec<Arc<FlushRequest>>,
    pub(crate) components: RunningComponents,
    pub(crate) console: Option<Arc<ConsoleExporter>>,
    pub(crate) metrics_addr: Option<SocketAddr>,
    /// The server of `/metrics`. Taken by the shutdown.
    pub(crate) metrics_server: Mutex<Option<JoinHandle<()>>>,
    /// `None` if the live view is off.
    #[cfg(feature = "live")]
    pub(crate) live: Option<Arc<crate::live::server::LiveServer>>,
    /// Its listener. Taken by the shutdown.
    #[cfg(feature = "live")]
    pub(crate) live_listener: Mutex<Option<JoinHandle<()>>>,
    pub(crate) phase: watch::Sender<ExportPhase>,
    pub(crate) runtime: ExportRuntime,
    /// The tasks that end at shutdown. Taken by the shutdown.
    pub(crate) tasks: Mutex<Option<JoinSet<()>>>,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

/// The components of the application, while the pipeline runs.
pub(crate) struct RunningComponents {
    pub(crate) spans: Vec<SignalQueue<SpanData>>,
    pub(crate) log_records: Vec<SignalQueue<LogItem>>,
    pub(crate) span_processors: Arc<SpanProcessors>,
    pub(crate) log_processors: Arc<LogProcessors>,
    pub(crate) metric_readers: CustomReaders,
}

impl RunningComponents {
    /// Exports all finished items of the exporters, and what processors and readers hold.
    async fn flush(&self) {
        let (spans, log_records) =
            (Arc::clone(&self.span_processors), Arc::clone(&self.log_processors));
        let processors = spawn_blocking(move || {
            // Their errors are the processors' own to report.
            let _ = (spans.force_flush(), log_records.force_flush());
        });
        let exporters = async {
            for queue in &self.spans {
                queue.flush().await;
            }
            for queue in &self.log_records {
                queue.flush().await;
            }
        };
        let _ = tokio::join!(processors, exporters, self.metric_readers.flush());
    }
}

impl Pipeline {
    /// Returns the current delivery counts.
    pub(crate) fn report(&self, elapsed: Duration) -> Report {
        let ended_by_shutdown = self.instance.open_units.ended_by_shutdown();
        let mut report = Report { elapsed, ended_by_shutdown, ..Report::default() };
        for Delivery { signal, exporter, accounting } in &self.deliveries {
            let (signal, counts) = (*signal, accounting.report());
            match (exporter, signal) {
                (Some(exporter), _) => {
                    let exporter = exporter.to_string();
                    report.exporters.push(ExporterReport { exporter, signal, counts });
                }
                (None, Signal::Traces) => report.traces = counts,
                (None, Signal::Metrics) => report.metrics = counts,
                (None, Signal::Logs) => report.logs = counts,
            }
        }
        report
    }

    /// Exports all finished items, at most for `limit`.
    pub(crate) async fn flush(&self, limit: Duration) -> Report {
        let began = Instant::now();
        let deadline = tokio::time::Instant::from_std(began + limit);
        // Requested before the queues are flushed, so that all signals are exported at once.
        let pushes: Vec<_> = self.metric_pushes.iter().map(|push| (push, push.request())).collect();
        let traces = flush_queue(self.spans.as_ref());
        let logs = flush_queue(self.log_records.as_ref());
        let metrics = async {
            for (push, request) in pushes {
                push.wait(request).await;
            }
        };
        let all = async { tokio::join!(traces, logs, metrics, self.components.flush()) };
        let _ = timeout_at(deadline, all).await;
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
        self.components.spans.iter().for_each(|spans| spans.queue.close());
        self.components.log_records.iter().for_each(|log_records| log_records.queue.close());
    }

    /// Closes the listeners: the next instance may use their ports at once.
    pub(crate) async fn stop_servers(&self) {
        stop(&self.metrics_server).await;
        #[cfg(feature = "live")]
        stop(&self.live_listener).await;
    }

    /// Counts all pending items as dropped, for `reason`.
    pub(crate) fn close_accounting(&self, reason: &'static str) {
        for delivery in &self.deliveries {
            delivery.accounting.close(reason);
        }
    }
}

async fn stop(server: &Mutex<Option<JoinHandle<()>>>) {
    let server = server.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(server) = server {
        server.abort();
        let _ = server.await;
    }
}

async fn flush_queue<T>(queue: Option<&SignalQueue<T>>) {
    if let Some(queue) = queue {
        queue.flush().await;
    }
}
