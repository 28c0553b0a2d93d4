//! The export loop of one queue: takes batches, encodes them and exports several at a time.

use crate::export::diagnostics::Diagnostics;
use crate::export::queue::{Batch, ExportOutcome, Queue};
use crate::export::retry::RetryingExporter;
use crate::export::runtime::ExportPhase;
use crate::semconv::{drop_reason, failure_reason};
use bytes::Bytes;
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;
use tokio::time::timeout_at;

/// Concurrent exports of one signal. The throughput is this number of batches per round trip; with
/// one export at a time, a slow Collector would fill the queue.
const MAX_CONCURRENT_EXPORTS: usize = 8;
/// Concurrent exports during shutdown: a full queue of default size is sent in one round trip.
const MAX_CONCURRENT_EXPORTS_AT_SHUTDOWN: usize = 32;
/// Timer for an idle loop, which the queue wakes.
const IDLE: Duration = Duration::from_secs(3600);

/// Encodes the items of a batch into a request body. Returns `None` on an encoding error.
pub(crate) type EncodeBatch<T> = Arc<dyn Fn(Vec<T>) -> Option<Bytes> + Send + Sync>;

/// Exports the items of a batch.
pub(crate) type ExportBatch<T> = Arc<dyn Fn(Vec<T>) -> ExportFuture + Send + Sync>;

type ExportFuture = Pin<Box<dyn Future<Output = ExportOutcome> + Send>>;

/// Returns the function that encodes a batch and exports it by `exporter`.
pub(crate) fn encode_and_export<T: Send + 'static>(
    encode: EncodeBatch<T>,
    exporter: RetryingExporter,
) -> ExportBatch<T> {
    let exporter = Arc::new(exporter);
    Arc::new(move |items| {
        let (encode, exporter) = (Arc::clone(&encode), Arc::clone(&exporter));
        Box::pin(async move {
            match encode(items) {
                Some(body) => exporter.export(body).await,
                None => ExportOutcome::Failed(Cow::Borrowed(failure_reason::ENCODING)),
            }
        })
    })
}

/// The export loop and its dependencies.
pub(crate) struct BatchExportLoop<T> {
    pub(crate) queue: Arc<Queue<T>>,
    pub(crate) export: ExportBatch<T>,
    /// `false` for an exporter that is never called concurrently.
    pub(crate) is_concurrent: bool,
    /// The signal, and the exporter if it is one of the application.
    pub(crate) name: String,
    /// The longest time an item waits for a full batch (`OTEL_BSP_SCHEDULE_DELAY`).
    pub(crate) delay: Duration,
    pub(crate) phase: watch::Receiver<ExportPhase>,
    /// Requests the export of all waiting items.
    pub(crate) flush_request: Arc<Notify>,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

impl<T: Send + 'static> BatchExportLoop<T> {
    /// Runs until the shutdown is complete or its deadline passes.
    pub(crate) async fn run(mut self) {
        let mut in_flight = JoinSet::new();
        let mut due = None;
        let mut drops = DropReporter::default();
        loop {
            let shutdown_deadline = match *self.phase.borrow_and_update() {
                ExportPhase::Running => None,
                ExportPhase::Draining { deadline, .. } => Some(deadline),
            };
            let is_due = due.is_some_and(|due| due <= Instant::now());
            let allow_partial = shutdown_deadline.is_some() || is_due;
            let max_in_flight = match shutdown_deadline {
                _ if !self.is_concurrent => 1,
                Some(_) => MAX_CONCURRENT_EXPORTS_AT_SHUTDOWN,
                None => MAX_CONCURRENT_EXPORTS,
            };
            while in_flight.len() < max_in_flight {
                let Some(batch) = self.queue.take(allow_partial) else { break };
                in_flight.spawn(export_batch(batch, Arc::clone(&self.export)));
            }
            drops.report(&self.name, &self.queue, &self.diagnostics);
            let waiting = self.queue.waiting();
            if waiting == 0 {
                due = None;
            } else if allow_partial || due.is_none() {
                due = Some(Instant::now() + self.delay);
            }
            if let Some(deadline) = shutdown_deadline {
                if waiting == 0 && in_flight.is_empty() {
                    break;
                }
                if timeout_at(deadline, in_flight.join_next()).await.is_err() {
                    break;
                }
                continue;
            }
            let is_full = in_flight.len() >= max_in_flight;
            let wake_at = due.unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                () = self.queue.wake.notified(), if !is_full => {}
                () = self.flush_request.notified() => due = Some(Instant::now()),
                () = sleep_until(wake_at), if due.is_some() && !is_full => {}
                // No export may complete for a long time, but drops are reported within a second.
                () = sleep(Duration::from_secs(1)), if is_full => {}
                Some(_) = in_flight.join_next() => {}
                changed = self.phase.changed() => if changed.is_err() { break },
            }
        }
        // Items left at the deadline are dropped and counted.
        self.queue.is_abandoned.store(true, Relaxed);
        in_flight.abort_all();
        while in_flight.join_next().await.is_some() {}
        self.queue.drop_waiting(drop_reason::SHUTDOWN_DEADLINE);
        self.queue.completed.notify_waiters();
    }
}

/// Exports one batch. A panic in the exporter drops the batch, which counts its items as failed.
async fn export_batch<T: Send + 'static>(mut batch: Batch<T>, export: ExportBatch<T>) {
    let items = std::mem::take(&mut batch.items);
    let outcome = export(items).await;
    batch.complete(outcome);
}

/// Reports the begin and the end of a period of drops, each at most once a minute.
#[derive(Debug, Default)]
struct DropReporter {
    dropped: usize,
    since: Option<Instant>,
}

impl DropReporter {
    fn report<T>(&mut self, name: &str, queue: &Queue<T>, diagnostics: &Diagnostics) {
        let (dropped, has_room) = queue.take_dropped();
        let signal = queue.signal;
        if dropped > 0 {
            if self.since.is_none() {
                diagnostics.log_throttled(
                    &format!("{name} drops"),
                    &format!(
                        "the {name} queue is full: new {} are dropped and counted",
                        signal.items()
                    ),
                );
                self.since = Some(Instant::now());
            }
            self.dropped += dropped;
        } else if has_room
            && self.since.is_some_and(|since| since.elapsed() > Duration::from_secs(1))
        {
            diagnostics.log_throttled(
                &format!("{name} drops ended"),
                &format!(
                    "the {name} queue has room again; {} {} were dropped",
                    self.dropped,
                    signal.items()
                ),
            );
            *self = Self::default();
        }
    }
}
