//! What a run needs to go on later, or in another process: its identity, where it was traced, how long it has executed.

use opentelemetry::trace::SpanContext;
use opentelemetry::trace::SpanId;
use opentelemetry::trace::TraceFlags;
use opentelemetry::trace::TraceId;
use opentelemetry::trace::TraceState;
use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

/// One segment of a workflow's run, to be stored while the run waits.
///
/// Taken by [`current().segment()`](crate::Current::segment), given back by the argument `resume = segment` or
/// [`workflow(…).resume(segment)`](crate::Workflow::resume). The next segment is a new span with the same
/// workflow.run.id and a link to this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The workflow's stable slug.
    pub workflow_id: String,
    /// The workflow's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What started the run.
    pub trigger: String,
    /// The run.
    pub run_id: String,
    /// The segment's span, as in W3C Trace Context; absent when it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Time executed so far over all segments, waits excluded, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
}

impl Segment {
    /// Time executed so far over all segments, waits excluded.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// Records that the run reached a terminal state while no segment was running: it was rejected, it expired, or
    /// it failed to start repeatedly.
    ///
    /// Counts the run, records the time that its segments executed, and exports a span of length zero that is linked
    /// to the last segment. `error_type` is a stable identifier, for FAILED and TIMED_OUT.
    ///
    /// ```
    /// # fn example(stored: hub_otel::Segment) {
    /// stored.record_end(hub_otel::UnitStatus::Rejected, None);
    /// # }
    /// ```
    pub fn record_end(&self, status: crate::UnitStatus, error_type: Option<&str>) {
        crate::unit::workflow::record_end(self, status, error_type);
    }

    /// The span of the segment, if it was recorded.
    pub fn span_context(&self) -> Option<SpanContext> {
        parse(self.traceparent.as_deref()?)
    }
}

/// What `resume` takes: a [`Segment`], or an `Option` of one for a run that may be new.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no segment of a run",
    label = "not a `hub_otel::Segment`",
    note = "`resume` takes a `hub_otel::Segment`, as `hub_otel::current().segment()` gave it, or an `Option` of one"
)]
pub trait Resume {
    /// The segment that goes on.
    fn segment(&self) -> Option<Segment>;
}

impl Resume for Segment {
    fn segment(&self) -> Option<Segment> {
        Some(self.clone())
    }
}

impl<R: Resume> Resume for &R {
    fn segment(&self) -> Option<Segment> {
        R::segment(self)
    }
}

impl<R: Resume> Resume for Option<R> {
    fn segment(&self) -> Option<Segment> {
        self.as_ref().and_then(R::segment)
    }
}

/// W3C Trace Context, `traceparent`, version 00.
pub(crate) fn write(span: &SpanContext) -> Option<String> {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags))
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    if lengths.iter().any(|(part, length)| part.len() != *length) || version == "ff" {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_the_way() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(write(&parse(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_broken_traceparent_is_no_parent() {
        for text in [
            "",
            "00-0-0-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
