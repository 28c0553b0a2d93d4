//! The SDK processors: apply the limits and put finished items into the queues.
//!
//! The SDK's batch processors are not used: their queues are bounded in items but not in bytes,
//! drop without a count, and stop for good if an exporter panics. One processor per signal, because
//! the SDK clones each span for a second one.

use crate::config::sampler::{Limits, ValueLimit};
use crate::export::components::span_processors::SpanProcessors;
use crate::export::console::ConsoleExporter;
use crate::export::diagnostics::is_own_event;
#[cfg(feature = "live")]
use crate::export::encode::ScopedLogRecord;
use crate::export::ended_span::EndedSpan;
use crate::export::limits::{limit_log_record, limit_span, size_of_log_record};
use crate::export::queue::Queue;
use crate::export::queued_log::{LogContent, QueuedLog};
use crate::gen_ai::recorder::GenAiRecorder;
#[cfg(feature = "live")]
use crate::live::feed::Feed;
use crate::semconv::{SCOPE, library_scope};
use crate::unit::foreign_call::record_foreign_call;
use crate::unit::span_facts::keep_last;
use opentelemetry::Context;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::Span as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::LogProcessor;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::Span;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanProcessor;
use std::sync::Arc;
use std::time::Duration;

/// The span processor.
#[derive(Debug, Clone)]
pub(crate) struct QueueSpanProcessor {
    /// Called before the span is queued, so that attributes that a processor adds are exported.
    pub(crate) custom: Arc<SpanProcessors>,
    pub(crate) queue: Option<Arc<Queue<EndedSpan>>>,
    pub(crate) console: Option<Arc<ConsoleExporter>>,
    pub(crate) value_limit: ValueLimit,
    /// Calls of models by other libraries.
    pub(crate) gen_ai: Arc<GenAiRecorder>,
    #[cfg(feature = "live")]
    pub(crate) live: Option<Arc<Feed>>,
}

impl SpanProcessor for QueueSpanProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.custom.on_start(span, context);
        if let Some(console) = &self.console {
            console.span_started(span.span_context());
        }
        #[cfg(feature = "live")]
        if let Some(live) = &self.live
            && span.span_context().is_sampled()
            && let Some(mut data) = span.exported_data()
        {
            self.gen_ai.content.admit_foreign(&mut data);
            let bytes = limit_span(&mut data, self.value_limit);
            live.started(data, bytes);
        }
    }

    fn on_end(&self, mut span: SpanData) {
        // The SDK's span appends an attribute that is set again; OTLP requires unique keys.
        keep_last(&mut span.attributes, |attribute| attribute.key.as_str());
        record_foreign_call(&self.gen_ai, &mut span);
        self.custom.on_end(&span);
        if !span.span_context.is_sampled() {
            return;
        }
        let bytes = limit_span(&mut span, self.value_limit);
        self.custom.export(&span, bytes);
        #[cfg(feature = "live")]
        if let Some(live) = &self.live {
            live.ended(span.clone(), bytes);
        }
        match (&self.console, &self.queue) {
            (Some(console), Some(queue)) => {
                console.span_ended(span.clone(), bytes);
                queue.push(EndedSpan::Sdk(Box::new(span)), bytes);
            }
            (Some(console), None) => console.span_ended(span, bytes),
            (None, Some(queue)) => queue.push(EndedSpan::Sdk(Box::new(span)), bytes),
            (None, None) => {}
        }
    }

    /// Wakes the export loop without waiting: the caller may be the export thread itself.
    /// [`Telemetry::flush`](crate::Telemetry::flush) waits.
    fn force_flush(&self) -> OTelSdkResult {
        if let Some(queue) = &self.queue {
            queue.wake.notify_one();
        }
        self.custom.force_flush()
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The log processor.
#[derive(Debug)]
pub(crate) struct QueueLogProcessor {
    queue: Option<Arc<Queue<QueuedLog>>>,
    #[cfg(feature = "live")]
    live: Option<Arc<Feed>>,
    value_limit: ValueLimit,
    max_attributes: usize,
}

impl QueueLogProcessor {
    pub(crate) fn new(
        queue: Option<Arc<Queue<QueuedLog>>>,
        #[cfg(feature = "live")] live: Option<Arc<Feed>>,
        limits: &Limits,
    ) -> Self {
        Self {
            queue,
            #[cfg(feature = "live")]
            live,
            value_limit: *limits.record_value,
            max_attributes: *limits.record_attributes,
        }
    }
}

impl LogProcessor for QueueLogProcessor {
    fn emit(&self, data: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if is_own_event(data) {
            return;
        }
        let scope = match data.target() {
            Some(target) if target == SCOPE => library_scope(),
            Some(target) => InstrumentationScope::builder(target.clone()).build(),
            None => scope.clone(),
        };
        #[cfg(feature = "live")]
        if let Some(live) = &self.live {
            let (mut record, scope) = ((&*data).into(), scope.clone());
            let bytes = limit_log_record(&mut record, self.value_limit, self.max_attributes);
            live.logged(&ScopedLogRecord { scope, record }, bytes);
        }
        let Some(queue) = &self.queue else { return };
        let size = size_of_log_record(data, self.value_limit, self.max_attributes);
        let (content, bytes) = size.map_or_else(
            || {
                let mut message = Box::new((&*data).into());
                let bytes = limit_log_record(&mut message, self.value_limit, self.max_attributes);
                (LogContent::Message(message), bytes)
            },
            |bytes| (LogContent::Sdk(Box::new(data.clone())), bytes),
        );
        queue.push(QueuedLog { scope: Some(scope), content }, bytes);
    }

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
