//! Span and log exporters of the application: one queue and one export at a time each.

use crate::contain::contain;
use crate::export::batch_loop::ExportBatch;
use crate::export::components::named::{Named, report_panic};
use crate::export::diagnostics::Diagnostics;
use crate::export::queue::ExportOutcome;
use crate::export::runtime::spawn_blocking;
use crate::semconv::failure_reason;
use crate::text::redact::redact_urls;
use futures_executor::block_on;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// A log record with its instrumentation scope.
pub(crate) type LogItem = (SdkLogRecord, InstrumentationScope);

/// An exporter without its type. Its methods block.
pub(crate) trait ErasedExporter<T>: Send + Sync {
    fn export(&self, items: Vec<T>) -> OTelSdkResult;
    fn shutdown(&self, timeout: Duration) -> OTelSdkResult;
    fn set_resource(&mut self, resource: &Resource);
}

/// A span exporter.
pub(crate) struct ErasedSpanExporter<E>(pub(crate) E);

impl<E: SpanExporter> ErasedExporter<SpanData> for ErasedSpanExporter<E> {
    fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        block_on(self.0.export(spans))
    }

    fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A log exporter.
pub(crate) struct ErasedLogExporter<E>(pub(crate) E);

impl<E: LogExporter> ErasedExporter<LogItem> for ErasedLogExporter<E> {
    fn export(&self, records: Vec<LogItem>) -> OTelSdkResult {
        let records: Vec<_> = records.iter().map(|(record, scope)| (record, scope)).collect();
        block_on(self.0.export(LogBatch::new(&records)))
    }

    fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// An exporter that is shared by its export loop and its shutdown.
pub(crate) type SharedExporter<T> = Arc<Named<Box<dyn ErasedExporter<T>>>>;

/// Returns the export function of an exporter.
///
/// It runs on a blocking thread with the export runtime as its tokio context: exporters that block
/// and exporters that need tokio both work. An export that does not return in time is counted as
/// failed; the next one starts when it has returned, because an exporter is never called
/// concurrently.
pub(crate) fn export_batch<T: Send + 'static>(
    exporter: &SharedExporter<T>,
    limit: Duration,
    prepare: Arc<dyn Fn(&mut T) + Send + Sync>,
    diagnostics: &Arc<Diagnostics>,
) -> ExportBatch<T> {
    let turn = Arc::new(Mutex::new(()));
    let (exporter, diagnostics) = (Arc::clone(exporter), Arc::clone(diagnostics));
    Arc::new(move |mut items| {
        let (exporter, diagnostics) = (Arc::clone(&exporter), Arc::clone(&diagnostics));
        let (turn, prepare) = (Arc::clone(&turn), Arc::clone(&prepare));
        Box::pin(async move {
            let turn = turn.lock_owned().await;
            let name = Arc::clone(&exporter.name);
            let export = spawn_blocking(move || {
                let _turn = turn;
                items.iter_mut().for_each(|item| prepare(item));
                contain(|| exporter.component.export(items))
            });
            outcome(&name, timeout(limit, export).await.ok().map(Result::ok), limit, &diagnostics)
        })
    })
}

/// Returns the outcome of an export, and reports its failure: `None` after the time limit, a result
/// of `None` after a panic.
pub(crate) fn outcome(
    name: &str,
    result: Option<Option<Option<OTelSdkResult>>>,
    limit: Duration,
    diagnostics: &Diagnostics,
) -> ExportOutcome {
    let error = match result.map(Option::flatten) {
        Some(Some(Ok(()))) => return ExportOutcome::Accepted { rejected: 0 },
        Some(Some(Err(error))) => error,
        None => OTelSdkError::Timeout(limit),
        Some(None) => {
            report_panic(name);
            return ExportOutcome::Failed(Cow::Borrowed(failure_reason::PANIC));
        }
    };
    let text = redact_urls(error.to_string());
    diagnostics.log_throttled(&format!("export by {name}"), &format!("{name} failed: {text}"));
    let reason = match error {
        OTelSdkError::Timeout(_) => failure_reason::TIMEOUT,
        OTelSdkError::AlreadyShutdown => failure_reason::EXPORTER_SHUT_DOWN,
        OTelSdkError::InternalFailure(_) => failure_reason::EXPORTER_ERROR,
    };
    ExportOutcome::Failed(Cow::Borrowed(reason))
}

/// Shuts an exporter down on a blocking thread.
pub(crate) async fn shut_down<T: 'static>(exporter: SharedExporter<T>, limit: Duration) {
    let shutdown = spawn_blocking(move || {
        exporter.call(|exporter| exporter.shutdown(limit));
    });
    let _ = timeout(limit, shutdown).await;
}
