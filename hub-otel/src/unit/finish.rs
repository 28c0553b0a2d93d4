//! End of a unit: late state, log record, metrics and span, in this order, exactly once: by the
//! unit itself, or by the shutdown of telemetry.

use crate::instance::SdkSpan;
use crate::options::Exceptions;
use crate::semconv::value::ended_by;
use crate::semconv::{attribute as a, error_type, event, kv, status};
use crate::shared_str::share_str;
use crate::status::UnitStatus;
use crate::unit::events;
use crate::unit::open_units::{LogEnd, OpenUnit};
use crate::unit::outcome::{Ending, Failure, Finished};
use crate::unit::raw_span::RawSpan;
use crate::unit::span::OpenSpan;
use crate::unit::state::ActiveUnit;
use crate::unit_kind::UnitKind;
use opentelemetry::trace::{Span as _, Status as SpanStatus, TraceContextExt};
use opentelemetry::{Context, StringValue};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Ends `unit`, unless it has ended. Its context is attached, so that the last log record carries
/// its ids.
pub(super) fn finish_unit(unit: &ActiveUnit, ending: Ending) {
    // It is left already: a span processor that logs must not find the unit's span in it.
    unit.ambient.close();
    if let Some(finished) = seal(unit, ending, events::logs_end()) {
        events::log_ended(unit.kind, &finished);
        record_end(unit, finished);
    }
}

/// Ends `unit` without a log record, during the destruction of the thread's thread-locals: a
/// subscriber needs some of them.
#[cold]
pub(super) fn finish_detached(unit: &ActiveUnit, ending: Ending) {
    unit.ambient.close();
    if let Some(finished) = seal(unit, ending, false) {
        record_end(unit, finished);
    }
}

#[inline(always)]
fn record_end(unit: &ActiveUnit, finished: Finished) {
    let elapsed = unit.started.elapsed();
    record_metrics(&finished, unit.executed_before + elapsed);
    if let Some(span) = &unit.span
        && let Some(open) = span.take()
    {
        finish_span(open, unit.kind, finished, elapsed, span.started + elapsed);
    }
    unit.set_recorded();
}

impl OpenUnit for ActiveUnit {
    fn is_open(&self) -> bool {
        !self.is_recorded()
    }

    fn started(&self) -> Instant {
        self.started
    }

    /// Ends the unit CANCELLED. Its body may still run: what it records later has no effect.
    fn end_by_shutdown(self: Arc<Self>) -> Option<LogEnd> {
        let mut ending = Ending::cancelled();
        ending.attributes.push(kv(a::ENDED_BY, ended_by::SHUTDOWN));
        let finished = seal(&self, ending, events::logs_end())?;
        let logged = Finished {
            label_set: Arc::clone(&finished.label_set),
            ending: Ending::cancelled(),
            suspended: None,
            workflow: finished.workflow.clone(),
            retries: finished.retries,
            waited: finished.waited,
        };
        record_end(&self, finished);
        Some(Box::new(move || {
            // A context of its own: telemetry is suppressed in the one of the export thread.
            let mut context = Context::new().with_value(Arc::clone(&self));
            if self.span.is_some() {
                context = context.with_span(RawSpan(Arc::clone(&self)));
            }
            let _attached = context.attach();
            events::log_ended(self.kind, &logged);
        }))
    }
}

#[inline(always)]
fn seal(unit: &ActiveUnit, mut ending: Ending, logs: bool) -> Option<Finished> {
    let mut late = unit.seal()?;
    let suspended = ending.apply_late(&late);
    let workflow = if logs { unit.workflow_of(&mut late) } else { None };
    Some(Finished {
        label_set: Arc::clone(&late.label_set),
        ending,
        suspended,
        workflow,
        retries: late.retries,
        waited: late.waited,
    })
}

#[inline]
fn record_metrics(finished: &Finished, executed: Duration) {
    let Finished { label_set, ending, .. } = finished;
    label_set.add_active(-1);
    if finished.suspended.is_some() {
        // The run continues in another segment, which counts it.
        return;
    }
    label_set.record_end(ending.status, executed.saturating_sub(finished.waited));
    if let Some(failure) = ending.failure.as_ref().filter(|_| ending.status.is_failure()) {
        label_set.record_error(&failure.error_type);
    }
}

fn finish_span(
    open: OpenSpan,
    kind: UnitKind,
    finished: Finished,
    elapsed: Duration,
    ended: SystemTime,
) {
    let OpenSpan { mut sdk, user_status } = open;
    let Finished { label_set, ending, suspended, retries, .. } = finished;
    let (status_key, duration_key) = match kind {
        UnitKind::Workflow => (a::WORKFLOW_STATUS, a::WORKFLOW_DURATION_MS),
        UnitKind::Agent => (a::AGENT_STATUS, a::AGENT_DURATION_MS),
    };
    let status = if suspended.is_some() { status::SUSPENDED } else { ending.status.as_str() };
    sdk.set_attribute(kv(status_key, status));
    sdk.set_attribute(kv(duration_key, events::whole_milliseconds(elapsed)));
    if retries > 0 && kind == UnitKind::Agent {
        sdk.set_attribute(kv(a::AGENT_RETRY_COUNT, retries));
    }
    if !ending.attributes.is_empty() {
        sdk.set_attributes(ending.attributes);
    }
    // If the unit leaves the span status unset, the user's status is kept.
    let options = &label_set.instruments.options;
    let mut span_status = user_status;
    if let Some(reason) = suspended {
        sdk.set_attribute(kv(a::WORKFLOW_SUSPEND_REASON, reason));
    } else if ending.status.is_failure() {
        span_status = set_failure(&mut sdk, kind, ending.failure, options.exceptions, ended);
    } else if ending.expected {
        sdk.set_attribute(kv(a::EXPECTED_ERROR, true));
    } else if ending.status == UnitStatus::Success && options.ok_status {
        span_status = SpanStatus::Ok;
    }
    if span_status != SpanStatus::Unset {
        sdk.set_status(span_status);
    }
    sdk.end_with_timestamp(ended);
}

/// Sets the attributes and the exception of a failed unit. Returns its span status.
fn set_failure(
    sdk: &mut SdkSpan,
    kind: UnitKind,
    failure: Option<Failure>,
    exceptions: Exceptions,
    ended: SystemTime,
) -> SpanStatus {
    let Some(Failure { error_type, exception_type, message }) = failure else {
        // `status = …` returned a failure for a value that is not an error.
        sdk.set_attribute(kv(a::ERROR_TYPE, error_type::OTHER));
        return SpanStatus::Error { description: Cow::Borrowed("") };
    };
    let description = message.map_or_else(|| error_type.clone(), Cow::Owned);
    // The attribute and the event share one string.
    let message = match &description {
        Cow::Borrowed(message) => StringValue::from(*message),
        Cow::Owned(message) => share_str(message),
    };
    let exception_type = match exception_type {
        "" => error_type.clone(),
        name => Cow::Borrowed(name),
    };
    sdk.set_attribute(kv(a::ERROR_TYPE, error_type));
    if kind == UnitKind::Agent {
        sdk.set_attribute(kv(a::ERROR_MESSAGE, message.clone()));
    }
    if exceptions != Exceptions::Log {
        let attributes =
            vec![kv(a::EXCEPTION_TYPE, exception_type), kv(a::EXCEPTION_MESSAGE, message)];
        sdk.add_event_with_timestamp(event::EXCEPTION, ended, attributes);
    }
    SpanStatus::Error { description }
}
