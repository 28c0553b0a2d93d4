//! Where the SDK hands over what ended: into the queues, and nothing else happens on that thread.
//!
//! Not the SDK's batch processors: their queues count items and not bytes, lose silently, and die with a panic of
//! their exporter. There is exactly one processor a signal: a second one would make the SDK clone every span.

use crate::config::{Limits, ValueLimit};
use crate::export::console::Console;
use crate::export::encode::Record;
use crate::export::limits as cut;
use crate::export::queue::Queue;
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

/// Takes in spans.
#[derive(Debug)]
pub(crate) struct Spans {
    pub(crate) queue: Option<Arc<Queue<SpanData>>>,
    pub(crate) console: Option<Arc<Console>>,
    pub(crate) limit: ValueLimit,
}

impl SpanProcessor for Spans {
    fn on_start(&self, span: &mut Span, _: &Context) {
        if let Some(console) = &self.console {
            console.started(span);
        }
    }

    fn on_end(&self, mut span: SpanData) {
        crate::unit::span::dedup_attributes(&mut span);
        if !span.span_context.is_sampled() {
            return;
        }
        let bytes = cut::span(&mut span, self.limit);
        match (&self.console, &self.queue) {
            (Some(console), Some(queue)) => {
                console.ended(span.clone());
                queue.push(span, bytes);
            }
            (Some(console), None) => console.ended(span),
            (None, Some(queue)) => queue.push(span, bytes),
            (None, None) => {}
        }
    }

    /// The guard flushes: a thread that waited here could be the one that has to deliver.
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

/// Takes in log records.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) queue: Arc<Queue<Record>>,
    pub(crate) limit: ValueLimit,
    pub(crate) most_attributes: usize,
}

impl Records {
    pub(crate) fn new(queue: Arc<Queue<Record>>, limits: &Limits) -> Self {
        Self { queue, limit: *limits.record_value, most_attributes: *limits.record_attributes }
    }
}

impl LogProcessor for Records {
    fn emit(&self, data: &mut SdkLogRecord, scope: &InstrumentationScope) {
        // What the exporters do is never exported.
        if Context::is_current_telemetry_suppressed() {
            return;
        }
        let scope = match data.target() {
            Some(target) => InstrumentationScope::builder(target.clone()).build(),
            None => scope.clone(),
        };
        let mut record = (&*data).into();
        let bytes = cut::record(&mut record, self.limit, self.most_attributes);
        self.queue.push(Record { scope, record }, bytes);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.wake.notify_one();
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
