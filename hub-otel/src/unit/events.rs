//! Log records that units emit: records of the library's own subscriber, or events of the `tracing`
//! crate.

use crate::metrics::LabelSet;
use crate::options::Exceptions;
use crate::semconv::{SCOPE, attribute as a, event};
use crate::unit::identity::ParentWorkflow;
use crate::unit::state::{ActiveUnit, Finished};
use crate::unit::unit_event::{self, EventText as _, UnitEvent};
use crate::unit_kind::UnitKind;
use opentelemetry::StringValue;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// One event. Its fields are texts with the attribute names of `semconv`; a field that is `None` is
/// omitted.
macro_rules! emit {
    ($level:expr, $name:expr, { $($field:expr => $value:expr),* $(,)? }) => {{
        let event = || UnitEvent::new($level, $name, [$(($field, $value.to_shared())),*]);
        if !unit_event::submit($level, event) {
            tracing::event!(
                name: $name, target: SCOPE, $level, { $({ $field } = $value.text(),)* }, "{}", $name
            );
        }
    }};
}

/// Returns whether a subscriber is interested in `level`: one atomic load.
#[inline]
fn enabled(level: Level) -> bool {
    level <= LevelFilter::current()
}

/// Returns whether the end of a unit can produce a log record.
#[inline]
pub(super) fn logs_end() -> bool {
    enabled(Level::ERROR)
}

fn workflow_fields(
    workflow: Option<&ParentWorkflow>,
) -> (Option<&StringValue>, Option<&StringValue>) {
    let id = workflow.map(|workflow| &workflow.id);
    (id, workflow.and_then(|workflow| workflow.run_id.as_ref()))
}

/// Emits the start of `unit`, whose context is attached.
#[inline]
pub(super) fn log_started(unit: &ActiveUnit, is_resumed: bool) {
    if enabled(Level::INFO) {
        catch_panic(|| emit_started(unit, is_resumed));
    }
}

#[cold]
fn emit_started(unit: &ActiveUnit, is_resumed: bool) {
    let workflow = unit.workflow();
    let label_set = Arc::clone(&unit.late().label_set);
    let (workflow_id, run_id) = workflow_fields(workflow.as_ref());
    match unit.kind {
        UnitKind::Workflow if is_resumed => {}
        UnitKind::Workflow => emit!(Level::INFO, event::WORKFLOW_RUN_STARTED, {
            a::WORKFLOW_ID => workflow_id,
            a::WORKFLOW_RUN_ID => run_id,
            a::WORKFLOW_TRIGGER => &label_set.trigger_or_action,
        }),
        UnitKind::Agent => emit!(Level::DEBUG, event::AGENT_RUN_STARTED, {
            a::AGENT_ID => &label_set.id,
            a::AGENT_ACTION => &label_set.trigger_or_action,
            a::WORKFLOW_RUN_ID => run_id,
        }),
        UnitKind::Llm | UnitKind::Tool => {}
    }
}

/// Emits the end of a unit, whose context is attached. A suspension emits nothing.
#[inline]
pub(super) fn log_ended(kind: UnitKind, finished: &Finished) {
    if logs_end() && finished.suspended.is_none() {
        catch_panic(|| emit_ended(kind, finished));
    }
}

/// Calls the subscriber. A panic there must not change the program: a subscriber is code of the
/// application, and may use thread-locals of this thread that are destroyed already.
fn catch_panic(emit: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(emit));
}

#[cold]
fn emit_ended(kind: UnitKind, finished: &Finished) {
    let Finished { label_set, ending, workflow, .. } = finished;
    let (workflow_id, run_id) = workflow_fields(workflow.as_ref());
    let status = ending.status.as_str();
    let failure = ending.failure.as_ref().filter(|_| ending.status.is_failure());
    let error_type = failure.map(|failure| &failure.error_type);
    let message = failure.and_then(|failure| failure.message.as_ref());
    let exceptions = label_set.instruments.options.exceptions;
    if let Some(failure) = failure.filter(|_| exceptions != Exceptions::SpanEvent) {
        if kind == UnitKind::Llm {
            emit!(Level::WARN, event::GEN_AI_EXCEPTION, {
                a::EXCEPTION_TYPE => failure.exception_type,
                a::EXCEPTION_MESSAGE => message,
            });
        } else {
            emit!(Level::ERROR, event::EXCEPTION, {
                a::EXCEPTION_TYPE => failure.exception_type,
                a::EXCEPTION_MESSAGE => message,
            });
        }
    }
    match (kind, failure.is_some()) {
        (UnitKind::Workflow, true) => emit!(Level::ERROR, event::WORKFLOW_RUN_ENDED, {
            a::WORKFLOW_ID => workflow_id,
            a::WORKFLOW_RUN_ID => run_id,
            a::WORKFLOW_STATUS => status,
            a::ERROR_TYPE => error_type,
            a::ERROR_MESSAGE => message,
        }),
        (UnitKind::Workflow, false) => emit!(Level::INFO, event::WORKFLOW_RUN_ENDED, {
            a::WORKFLOW_ID => workflow_id,
            a::WORKFLOW_RUN_ID => run_id,
            a::WORKFLOW_STATUS => status,
        }),
        (UnitKind::Agent, _) => emit!(Level::DEBUG, event::AGENT_RUN_ENDED, {
            a::AGENT_ID => &label_set.id,
            a::AGENT_ACTION => &label_set.trigger_or_action,
            a::AGENT_STATUS => status,
            a::ERROR_TYPE => error_type,
            a::ERROR_MESSAGE => message,
            a::WORKFLOW_RUN_ID => run_id,
        }),
        (UnitKind::Llm | UnitKind::Tool, _) => {}
    }
}

/// Emits a failed attempt that is retried.
pub(super) fn log_retry(label_set: &LabelSet, attempt: i64, reason: &str, delay_ms: Option<i64>) {
    catch_panic(|| {
        tracing::event!(name: event::AGENT_RETRY, target: SCOPE, Level::WARN, {
            { a::AGENT_ID } = label_set.id.as_str(),
            { a::AGENT_RETRY_ATTEMPT } = attempt,
            { a::AGENT_RETRY_REASON } = reason,
            { a::AGENT_RETRY_DELAY_MS } = delay_ms,
        }, "{}", event::AGENT_RETRY);
    });
}

/// Converts for the `*.ms` attributes.
pub(super) fn whole_milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
