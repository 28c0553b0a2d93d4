//! The unit's span as code that uses the OpenTelemetry API sees it, with `context.span()`.

use crate::semconv::span;
use crate::unit::state::ActiveUnit;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, SpanContext, Status};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

/// Span of a sampled unit in an OpenTelemetry context.
///
/// Records everything as the SDK's span does, with two exceptions: the unit's own status takes
/// precedence over a status that is set here, and only the unit ends the span.
#[derive(Debug)]
pub(crate) struct RawSpan(pub(crate) Arc<ActiveUnit>);

impl Span for RawSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        mut attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        let name = name.into();
        self.0.instance.gen_ai.content.admit_all(&mut attributes);
        self.0.change_span(|span, limits| span.add_event(name, timestamp, attributes, limits));
    }

    fn span_context(&self) -> &SpanContext {
        self.0.span.as_ref().map_or(&SpanContext::NONE, |span| span.context())
    }

    fn is_recording(&self) -> bool {
        self.0.span.as_ref().is_some_and(|span| span.is_recording())
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        let admitted = self.0.instance.gen_ai.content.admit(attribute);
        self.0.change_span(|span, limits| span.set_admitted(admitted, limits));
    }

    fn set_status(&mut self, status: Status) {
        self.0.change_span(|span, _| span.set_user_status(status));
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        let name = new_name.into();
        self.0.change_span(|span, _| span.update_name(name));
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.0.change_span(|span, limits| span.add_link(span_context, attributes, limits));
    }

    /// Ignored: an end before the unit's own would lose its outcome.
    fn end_with_timestamp(&mut self, _timestamp: SystemTime) {
        tracing::debug!(
            target: crate::semconv::SCOPE,
            "ignored end() on the span of a unit ({} or {}): it ends with its function",
            span::WORKFLOW_EXECUTE,
            span::AGENT_EXECUTE
        );
    }
}
