//! Span processors of the application, and the queues of its span exporters.

use crate::export::components::named::Named;
use crate::export::components::processor_chain::ProcessorChain;
use crate::export::encode::redact_span;
use crate::export::queue::Queue;
use crate::telemetry::redaction::DenyList;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::sync::Arc;
use std::time::Duration;

/// The processors, called in the order of the builder's calls, and the queues.
#[derive(Default)]
pub(crate) struct SpanProcessors {
    processors: ProcessorChain<dyn SpanProcessor>,
    /// One per exporter.
    pub(crate) queues: Vec<Arc<Queue<SpanData>>>,
    deny: DenyList,
}

impl SpanProcessors {
    pub(crate) fn new(
        processors: Vec<Named<Box<dyn SpanProcessor>>>,
        queues: Vec<Arc<Queue<SpanData>>>,
        resource: &Resource,
        deny: DenyList,
    ) -> Self {
        let processors =
            ProcessorChain::new(processors, |processor| processor.set_resource(resource));
        Self { processors, queues, deny }
    }

    /// Returns whether no component of the application takes spans.
    #[cfg(feature = "tracing")]
    pub(crate) fn is_empty(&self) -> bool {
        self.processors.is_empty() && self.queues.is_empty()
    }

    pub(crate) fn on_start(&self, span: &mut Span, context: &Context) {
        for processor in self.processors.active() {
            processor.call(|processor| processor.on_start(span, context));
        }
    }

    /// Calls the processors with a copy of `span` each, without secret values.
    pub(crate) fn on_end(&self, span: &SpanData) {
        let Some((last, others)) = self.processors.active().split_last() else { return };
        let mut redacted = span.clone();
        redact_span(&mut redacted, &self.deny);
        for processor in others {
            processor.call(|processor| processor.on_end(redacted.clone()));
        }
        last.call(|processor| processor.on_end(redacted));
    }

    /// Adds a sampled span of `bytes` to the queue of each exporter.
    pub(crate) fn export(&self, span: &SpanData, bytes: usize) {
        for queue in &self.queues {
            queue.push(span.clone(), bytes);
        }
    }

    /// Requests the export of what the processors hold. Blocks while they do.
    ///
    /// # Errors
    /// The first error of a processor.
    pub(crate) fn force_flush(&self) -> OTelSdkResult {
        self.processors.force_flush(|processor| processor.force_flush())
    }

    /// Shuts the processors down, the first time that it is called. Blocks while they do.
    pub(crate) fn shut_down(&self, timeout: Duration) {
        self.processors.shut_down(|processor| processor.shutdown_with_timeout(timeout));
    }
}

impl std::fmt::Debug for SpanProcessors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.processors.fmt(f)
    }
}
