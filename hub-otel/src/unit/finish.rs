//! The one end of a unit: status, attributes, counter, histogram and active gauge, in one place, exactly once.

use crate::metrics::LabelSet;
use crate::options::Exceptions;
use crate::semconv::{attribute as a, event, kv, status};
use crate::status::UnitStatus;
use crate::unit::again;
use crate::unit::span::UnitSpan;
use crate::unit::state::{Late, Shared, Unit};
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::trace::Span as _;
use opentelemetry::trace::Status as SpanStatus;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// How a unit ended, as its wrapper saw it.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: UnitStatus,
    pub(crate) failure: Option<Failure>,
    /// The error was declared expected: no failure.
    pub(crate) expected: bool,
    /// The body ran to its end: what was said while it ran counts.
    pub(crate) returned: bool,
    /// From `ret(…)`.
    pub(crate) attributes: Vec<KeyValue>,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    /// A stable identifier.
    pub(crate) error_type: Cow<'static, str>,
    /// The Rust type's name.
    pub(crate) exception_type: &'static str,
    /// The error's text.
    pub(crate) message: Option<String>,
}

impl Ending {
    pub(crate) fn new(status: UnitStatus) -> Self {
        Self { status, failure: None, expected: false, returned: true, attributes: Vec::new() }
    }

    /// The future was dropped while it ran.
    pub(crate) fn dropped() -> Self {
        Self { returned: false, ..Self::new(UnitStatus::Cancelled) }
    }

    /// The body unwound through us.
    pub(crate) fn panicked() -> Self {
        let failure = Failure {
            error_type: Cow::Borrowed(status::ERROR_TYPE_PANIC),
            exception_type: status::ERROR_TYPE_PANIC,
            message: Some("the function panicked".to_owned()),
        };
        Self { returned: false, failure: Some(failure), ..Self::new(UnitStatus::Failed) }
    }

    /// What was said while the unit ran comes before what its value says. Gives the reason when it is suspended.
    pub(crate) fn heed(&mut self, late: &Late) -> Option<Cow<'static, str>> {
        if !self.returned {
            return None;
        }
        if late.timed_out {
            self.fail(UnitStatus::TimedOut, Cow::Borrowed(status::ERROR_TYPE_TIMEOUT));
        } else if let Some(kind) = &late.failed {
            self.fail(UnitStatus::Failed, kind.clone());
        } else if let Some(reason) = &late.suspended {
            self.failure = None;
            return Some(reason.clone());
        }
        None
    }

    fn fail(&mut self, status: UnitStatus, error_type: Cow<'static, str>) {
        self.status = status;
        self.expected = false;
        match &mut self.failure {
            Some(failure) => failure.error_type = error_type,
            none => *none = Some(Failure { exception_type: "", message: None, error_type }),
        }
    }
}

/// What both kinds of ends need: late facts heeded, metrics recorded.
struct Settled {
    elapsed: Duration,
    retries: i64,
    suspended: Option<Cow<'static, str>>,
}

fn settle(unit: &Unit, ending: &mut Ending) -> Settled {
    let elapsed = unit.started.elapsed();
    match &unit.shared {
        None => {
            record(&unit.set, ending, elapsed);
            Settled { elapsed, retries: 0, suspended: None }
        }
        Some(shared) => settle_late(shared, ending, elapsed),
    }
}

#[cold]
fn settle_late(shared: &Shared, ending: &mut Ending, elapsed: Duration) -> Settled {
    let late = shared.end();
    let suspended = ending.heed(&late);
    let (set, retries, waited) = (Arc::clone(&late.set), late.retries, late.waited);
    drop(late);
    if suspended.is_some() {
        set.add_active(-1);
    } else {
        record(&set, ending, (shared.before + elapsed).saturating_sub(waited));
    }
    Settled { elapsed, retries, suspended }
}

fn record(set: &LabelSet, ending: &Ending, executed: Duration) {
    set.add_active(-1);
    set.record_end(ending.status, executed);
    if let Some(failure) = ending.failure.as_ref().filter(|_| ending.status.is_failure()) {
        set.record_error(&failure.error_type);
    }
}

/// Ends a unit that only counts.
pub(crate) fn counted(unit: &Unit, ending: &mut Ending) {
    settle(unit, ending);
}

/// Ends a unit that records.
pub(crate) fn recorded(span: &mut UnitSpan, mut ending: Ending) {
    let unit = &span.unit;
    let settled = settle(unit, &mut ending);
    let kind = unit.kind();
    let (status_key, duration_key) = match kind {
        UnitKind::Workflow => (a::WORKFLOW_STATUS, a::WORKFLOW_DURATION_MS),
        UnitKind::Agent => (a::AGENT_STATUS, a::AGENT_DURATION_MS),
    };
    let sdk = &mut span.sdk;
    let status =
        if settled.suspended.is_some() { status::SUSPENDED } else { ending.status.as_str() };
    sdk.set_attribute(kv(status_key, status));
    sdk.set_attribute(kv(duration_key, milliseconds(settled.elapsed)));
    if settled.retries > 0 && kind == UnitKind::Agent {
        sdk.set_attribute(kv(a::AGENT_RETRY_COUNT, settled.retries));
    }
    if !ending.attributes.is_empty() {
        sdk.set_attributes(std::mem::take(&mut ending.attributes));
    }
    let at = span.began + settled.elapsed;
    // Where the unit leaves the status unset, what was set on the raw span stays.
    let mut raw = std::mem::take(&mut span.status);
    if let Some(reason) = settled.suspended {
        sdk.set_attribute(kv(a::WORKFLOW_SUSPEND_REASON, reason));
    } else if ending.status.is_failure() {
        raw = SpanStatus::Unset;
        failed(span, &mut ending, at);
    } else if ending.expected {
        sdk.set_attribute(kv(a::EXPECTED_ERROR, true));
    } else if ending.status == UnitStatus::Success && unit.set.instruments.options.ok_status {
        raw = SpanStatus::Ok;
    }
    if raw != SpanStatus::Unset {
        span.sdk.set_status(raw);
    }
    span.finish(at);
}

/// The attributes, the status and the exception of a unit that failed.
fn failed(span: &mut UnitSpan, ending: &mut Ending, at: std::time::SystemTime) {
    let Some(failure) = &mut ending.failure else {
        // `status = …` said so, and there is no error to tell of.
        span.sdk.set_attribute(kv(a::ERROR_TYPE, status::ERROR_TYPE_OTHER));
        span.sdk.set_status(SpanStatus::Error { description: Cow::Borrowed("") });
        return;
    };
    let tells = span.unit.kind() == UnitKind::Agent;
    let message = match &failure.message {
        Some(message) => again::value(message),
        None => text(failure.error_type.clone()),
    };
    let sdk = &mut span.sdk;
    sdk.set_attribute(kv(a::ERROR_TYPE, text(failure.error_type.clone())));
    if tells {
        sdk.set_attribute(kv(a::ERROR_MESSAGE, message.clone()));
    }
    if span.unit.set.instruments.options.exceptions != Exceptions::Log {
        let kind = match failure.exception_type {
            // `current().fail(kind)`: no Rust type was involved.
            "" => text(failure.error_type.clone()),
            kind => StringValue::from(kind),
        };
        let exception = vec![kv(a::EXCEPTION_TYPE, kind), kv(a::EXCEPTION_MESSAGE, message)];
        sdk.add_event_with_timestamp(event::EXCEPTION, at, exception);
    }
    let description = failure.message.take().map_or_else(|| failure.error_type.clone(), Cow::Owned);
    sdk.set_status(SpanStatus::Error { description });
}

/// Whole milliseconds, in 64 bits all the way.
fn milliseconds(duration: Duration) -> i64 {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_mul(1_000).saturating_add(i64::from(duration.subsec_millis()))
}

pub(crate) fn text(text: Cow<'static, str>) -> StringValue {
    match text {
        Cow::Borrowed(text) => StringValue::from(text),
        Cow::Owned(text) => StringValue::from(text),
    }
}

/// When something that is not a unit's began, for spans that are written after the fact.
pub(crate) fn now() -> (Instant, std::time::SystemTime) {
    let now = Instant::now();
    (now, crate::unit::clock::wall(now))
}
