//! The SDK processors: apply the limits and put finished items into the queues.
//!
//! The SDK's batch processors are not used: their queues are bounded in items but not in bytes,
//! drop without a count, and stop for good if an exporter panics. One processor per signal, because
//! the SDK clones each span for a second one.

use crate::config::sampler::{Limits, ValueLimit};
use crate::export::console::ConsoleExporter;
use crate::export::encode::ScopedLogRecord;
use crate::export::limits::{limit_log_record, limit_span};
use crate::export::queue::Queue;
use crate::semconv::DIAGNOSTICS_TARGET;
use opentelemetry::Context;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::LogProcessor;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::Span;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanProcessor;
use std::sync::Arc;
use std::time::Duration;

/// The span processor.
#[derive(Debug)]
pub(crate) struct QueueSpanProcessor {
    pub(crate) queue: Option<Arc<Queue<SpanData>>>,
    pub(crate) console: Option<Arc<ConsoleExporter>>,
    pub(crate) value_limit: ValueLimit,
}

impl SpanProcessor for QueueSpanProcessor {
    fn on_start(&self, span: &mut Span, _: &Context) {
        if let Some(console) = &self.console {
            console.span_started(span);
        }
    }

    fn on_end(&self, mut span: SpanData) {
        crate::unit::span::dedup_attributes(&mut span);
        if !span.span_context.is_sampled() {
            return;
        }
        let bytes = limit_span(&mut span, self.value_limit);
        match (&self.console, &self.queue) {
            (Some(console), Some(queue)) => {
                console.span_ended(span.clone(), bytes);
                queue.push(span, bytes);
            }
            (Some(console), None) => console.span_ended(span, bytes),
            (None, Some(queue)) => queue.push(span, bytes),
            (None, None) => {}
        }
    }

    /// Wakes the export loop without waiting: the caller may be the export thread itself.
    /// [`Telemetry::flush`](crate::Telemetry::flush) waits.
    fn force_flush(&self) -> OTelSdkResult {
        if let Some(queue) = &self.queue {
            queue.wake.notify_one();
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The log processor.
#[derive(Debug)]
pub(crate) struct QueueLogProcessor {
    queue: Arc<Queue<ScopedLogRecord>>,
    value_limit: ValueLimit,
    max_attributes: usize,
}

impl QueueLogProcessor {
    pub(crate) fn new(queue: Arc<Queue<ScopedLogRecord>>, limits: &Limits) -> Self {
        Self { queue, value_limit: *limits.record_value, max_attributes: *limits.record_attributes }
    }
}

impl LogProcessor for QueueLogProcessor {
    fn emit(&self, data: &mut SdkLogRecord, scope: &InstrumentationScope) {
        // Events of the export threads are never exported: each export would cause the next one.
        // The same applies to diagnostics, whichever bridge of the application emits them.
        let is_diagnostic = data.target().is_some_and(|target| target == DIAGNOSTICS_TARGET);
        if is_diagnostic || Context::is_current_telemetry_suppressed() {
            return;
        }
        let scope = match data.target() {
            Some(target) => InstrumentationScope::builder(target.clone()).build(),
            None => scope.clone(),
        };
        let mut record = (&*data).into();
        let bytes = limit_log_record(&mut record, self.value_limit, self.max_attributes);
        self.queue.push(ScopedLogRecord { scope, record }, bytes);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.wake.notify_one();
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
