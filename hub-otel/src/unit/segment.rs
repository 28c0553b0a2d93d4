//! One segment of a workflow's run, and the state that the next one needs.

use crate::budget::{Budget, Spent};
use crate::instance;
use crate::metrics::Dimensions;
use crate::semconv::{attribute as a, error_type, event, kv, span};
use crate::status::UnitStatus;
use crate::unit::clock;
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status as SpanStatus, TraceFlags,
    TraceId, TraceState, Tracer,
};
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One segment of a workflow's run, stored while the run waits.
///
/// [`Current::segment`](crate::Current::segment) returns it. The argument `resume = segment` or
/// [`Workflow::resume`](crate::Workflow::resume) starts the next segment: a new span with the same
/// `workflow.run.id` and a link to this one. Serializable with the feature
/// `serde`.
///
/// ```
/// use hub_otel::Segment;
/// use std::time::Duration;
///
/// let segment = Segment::new("patch", "run-7", "event").with_elapsed(Duration::from_secs(3));
/// assert_eq!(segment.run_id(), "run-7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Segment {
    pub(super) workflow_id: String,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) name: Option<String>,
    pub(super) trigger: String,
    pub(super) run_id: String,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) traceparent: Option<String>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) elapsed_ms: u64,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) budget: Option<Budget>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) spent: Option<Spent>,
    /// Attributes of the run.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub(super) attributes: Vec<(String, String)>,
}

impl Segment {
    /// Creates a segment of a run that another system started or stored.
    pub fn new(
        workflow_id: impl Into<String>,
        run_id: impl Into<String>,
        trigger: impl Into<String>,
    ) -> Self {
        Self {
            workflow_id: workflow_id.into(),
            name: None,
            trigger: trigger.into(),
            run_id: run_id.into(),
            traceparent: None,
            elapsed_ms: 0,
            budget: None,
            spent: None,
            attributes: Vec::new(),
        }
    }

    /// Sets the display name of the workflow.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the run id.
    #[must_use]
    pub fn with_run_id(mut self, run_id: impl Into<String>) -> Self {
        self.run_id = run_id.into();
        self
    }

    /// Sets the span of the segment, as a W3C `traceparent`. An invalid value has no effect.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Sets the time executed over all segments, waits excluded.
    #[must_use]
    pub fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Sets the budget of the run. The next segment continues it, unless it sets one of its own.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Sets what the run has spent over all segments, for its budget.
    #[must_use]
    pub fn with_spent(mut self, spent: Spent) -> Self {
        self.spent = Some(spent);
        self
    }

    /// Sets an attribute of the run, such as `gen_ai.conversation.id`: see
    /// [`Current::run_attribute`](crate::Current::run_attribute). A segment of
    /// [`Current::segment`](crate::Current::segment) contains those of its run.
    #[must_use]
    pub fn with_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// Returns the workflow's id, a stable slug.
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// Returns the display name of the workflow.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the trigger of the run: `manual`, `schedule`, `event`, …
    pub fn trigger(&self) -> &str {
        &self.trigger
    }

    /// Returns the run id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Returns the span of the segment as a W3C `traceparent`; `None` if it was not sampled.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Returns the time executed over all segments, waits excluded.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// Returns what the run has spent over all segments. `None` without a budget.
    pub fn spent(&self) -> Option<Spent> {
        self.spent
    }

    /// Records that the run reached a terminal state while no segment was running: it was rejected,
    /// it expired, or it failed to start repeatedly.
    ///
    /// Counts the run, records the time that its segments executed, and exports a span of length
    /// zero that is linked to the last segment. `error_type` is a stable identifier, for FAILED and
    /// TIMED_OUT.
    ///
    /// ```
    /// # fn example(stored: hub_otel::Segment) {
    /// stored.record_end(hub_otel::UnitStatus::Rejected, None);
    /// # }
    /// ```
    pub fn record_end(&self, status: UnitStatus, error_type: Option<&str>) {
        let Some(instance) = instance::current() else { return };
        let dimensions =
            Dimensions { id: &self.workflow_id, trigger_or_action: &self.trigger, extra: &[] };
        let label_set = instance.units.label_set(UnitKind::Workflow, &dimensions);
        label_set.record_end(status, self.elapsed());
        let error_type = status.is_failure().then(|| error_type.unwrap_or(error_type::OTHER));
        if let Some(error_type) = error_type {
            label_set.record_error(error_type);
        }
        let name = self.name.as_ref().unwrap_or(&self.workflow_id).clone();
        let mut attributes = vec![
            kv(a::WORKFLOW_RUN_ID, self.run_id.clone()),
            kv(a::WORKFLOW_ID, self.workflow_id.clone()),
            kv(a::WORKFLOW_NAME, name),
            kv(a::WORKFLOW_TRIGGER, self.trigger.clone()),
            kv(a::WORKFLOW_STATUS, status.as_str()),
            kv(a::WORKFLOW_DURATION_MS, 0),
        ];
        let run = self.attributes.iter().cloned();
        attributes.extend(run.map(|(key, value)| kv(key, value)));
        attributes.extend(error_type.map(|error_type| kv(a::ERROR_TYPE, error_type.to_owned())));
        let (_, now) = clock::now();
        let mut builder = SpanBuilder::from_name(span::WORKFLOW_EXECUTE)
            .with_kind(SpanKind::Internal)
            .with_start_time(now)
            .with_attributes(attributes);
        if let Some(last) = self.last_span() {
            builder = builder.with_links(vec![Link::new(last, Vec::new(), 0)]);
        }
        #[expect(clippy::disallowed_methods, reason = "a span of semconv, written after the fact")]
        let mut span =
            Context::map_current(|parent| instance.tracer.build_with_context(builder, parent));
        match error_type {
            Some(error_type) => span.set_status(SpanStatus::error(error_type.to_owned())),
            None if status == UnitStatus::Success && instance.options.ok_status => {
                span.set_status(SpanStatus::Ok);
            }
            None => {}
        }
        span.end_with_timestamp(now);
        self.log_end(status, error_type);
    }

    fn log_end(&self, status: UnitStatus, error_type: Option<&str>) {
        macro_rules! emit {
            ($level:expr) => {
                tracing::event!(
                    name: event::WORKFLOW_RUN_ENDED, target: crate::semconv::SCOPE, $level, {
                        { a::WORKFLOW_ID } = self.workflow_id,
                        { a::WORKFLOW_RUN_ID } = self.run_id,
                        { a::WORKFLOW_STATUS } = status.as_str(),
                        { a::ERROR_TYPE } = error_type,
                    }, "{}", event::WORKFLOW_RUN_ENDED
                )
            };
        }
        if error_type.is_some() {
            emit!(tracing::Level::ERROR);
        } else {
            emit!(tracing::Level::INFO);
        }
    }

    /// Returns the span of the segment, if it was sampled.
    pub(crate) fn last_span(&self) -> Option<SpanContext> {
        parse_traceparent(self.traceparent.as_deref()?)
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A segment to resume: `resume = …` of the macros, [`Workflow::resume`](crate::Workflow::resume).
///
/// Implemented for [`Segment`], by value and by reference, and for an `Option` of one, for a run
/// that may be new. Sealed: other crates cannot implement it.
///
/// ```
/// use hub_otel::Segment;
///
/// /// `suspended` is `None` for a run that is new.
/// async fn review(suspended: Option<Segment>) {
///     hub_otel::workflow("review").resume(suspended).run(async {}).await;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a segment of a run",
    label = "not a `hub_otel::Segment`",
    note = "`resume` takes a `hub_otel::Segment`, as `hub_otel::current().segment()` returned it, or an `Option` of one"
)]
pub trait IntoSegment: sealed::Sealed {
    /// Returns the segment to resume.
    #[doc(hidden)]
    fn to_segment(&self) -> Option<Segment>;
}

impl sealed::Sealed for Segment {}
impl IntoSegment for Segment {
    fn to_segment(&self) -> Option<Segment> {
        Some(self.clone())
    }
}

impl<S: sealed::Sealed> sealed::Sealed for &S {}
impl<S: IntoSegment> IntoSegment for &S {
    fn to_segment(&self) -> Option<Segment> {
        S::to_segment(self)
    }
}

impl<S: sealed::Sealed> sealed::Sealed for Option<S> {}
impl<S: IntoSegment> IntoSegment for Option<S> {
    fn to_segment(&self) -> Option<Segment> {
        self.as_ref().and_then(IntoSegment::to_segment)
    }
}

/// Formats a `traceparent`, version 00. <https://www.w3.org/TR/trace-context/#traceparent-header>
pub(super) fn format_traceparent(span: &SpanContext) -> Option<String> {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags))
}

fn parse_traceparent(traceparent: &str) -> Option<SpanContext> {
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
    use super::{format_traceparent, parse_traceparent};

    #[test]
    fn a_traceparent_is_parsed_and_formatted_without_loss() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let span = parse_traceparent(traceparent).unwrap();
        assert_eq!(format_traceparent(&span).unwrap(), traceparent);
    }

    #[test]
    fn an_invalid_traceparent_is_ignored() {
        for traceparent in [
            "",
            "00-0-0-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c",
        ] {
            assert_eq!(parse_traceparent(traceparent), None, "{traceparent}");
        }
    }
}
