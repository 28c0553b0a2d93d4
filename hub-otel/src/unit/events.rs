//! The log records that units emit themselves, as events of the `tracing` crate: what an operator reads first.
//!
//! Nothing is gathered for a level that nobody listens to.

use crate::metrics::LabelSet;
use crate::options::Exceptions;
use crate::semconv::{SCOPE, attribute as a, event};
use crate::unit::finish::Ending;
use crate::unit::state::{Enclosing, Given, Shared, Unit};
use crate::unit::{lookup as running, span};
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::StringValue;
use std::sync::Arc;
use tracing::Level;

/// What the log says of a unit.
pub(crate) struct Facts {
    pub(crate) kind: UnitKind,
    pub(crate) set: Arc<LabelSet>,
    /// A copy: nothing is allocated for a line of the log.
    pub(crate) workflow: Option<Enclosing>,
    pub(crate) exceptions: Exceptions,
    pub(crate) shared: Option<Arc<Shared>>,
}

impl Facts {
    /// Absent outside a workflow: an event leaves out what is `None`.
    fn run_id(&self) -> Option<&str> {
        self.workflow.as_ref()?.run_id.as_ref().map(StringValue::as_str)
    }

    fn workflow_id(&self) -> Option<&str> {
        self.workflow.as_ref().map(|workflow| workflow.id.as_str())
    }
}

/// One event: the constants of the contract as names, and only what is there.
macro_rules! emit {
    ($level:expr, $name:expr, { $($field:expr => $value:expr),* $(,)? }, $($message:tt)+) => {
        tracing::event!(name: $name, target: SCOPE, $level, { $({ $field } = $value,)* }, $($message)+)
    };
}

/// Whether anybody listens to `level`: one atomic load where nobody does.
#[inline]
fn heard(level: tracing::level_filters::LevelFilter) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// A unit began under the current context.
#[inline]
pub(crate) fn started(resumed: bool) {
    if heard(Level::INFO.into()) {
        log_started(resumed);
    }
}

#[cold]
fn log_started(resumed: bool) {
    let Some(facts) = running::describe(&Context::current()) else { return };
    match facts.kind {
        UnitKind::Workflow if !resumed => emit!(Level::INFO, event::WORKFLOW_RUN_STARTED, {
            a::WORKFLOW_ID => facts.workflow_id(),
            a::WORKFLOW_RUN_ID => facts.run_id(),
            a::WORKFLOW_TRIGGER => facts.set.trigger_or_action.as_str(),
        }, "{}", event::WORKFLOW_RUN_STARTED),
        UnitKind::Workflow => {}
        UnitKind::Agent => emit!(Level::DEBUG, event::AGENT_RUN_STARTED, {
            a::AGENT_ID => facts.set.id.as_str(),
            a::AGENT_ACTION => facts.set.trigger_or_action.as_str(),
            a::WORKFLOW_RUN_ID => facts.run_id(),
        }, "{}", event::AGENT_RUN_STARTED),
    }
}

/// A recorded unit is about to end; its context is attached.
#[inline]
pub(crate) fn ended_recorded(context: &Context, ending: &mut Ending) {
    if heard(Level::ERROR.into())
        && let Some(facts) = span::describe(context)
    {
        log_ended(&facts, ending);
    }
}

/// A unit that only counts is about to end.
#[inline]
pub(crate) fn ended_counted(unit: &mut Unit, ending: &mut Ending) {
    if heard(Level::ERROR.into()) {
        log_ended(&unit.describe(&Given::default()), ending);
    }
}

#[cold]
fn log_ended(facts: &Facts, ending: &mut Ending) {
    // The same judgement as at the end itself: heeding it twice changes nothing.
    let suspended = facts.shared.as_ref().and_then(|shared| ending.heed(&shared.late()));
    if suspended.is_some() {
        return;
    }
    let status = ending.status.as_str();
    let failure = ending.failure.as_ref().filter(|_| ending.status.is_failure());
    let error_type = failure.map(|failure| &*failure.error_type);
    let message = failure.and_then(|failure| failure.message.as_deref());
    if let Some(failure) = failure.filter(|_| facts.exceptions != Exceptions::SpanEvent) {
        emit!(Level::ERROR, event::EXCEPTION, {
            a::EXCEPTION_TYPE => failure.exception_type,
            a::EXCEPTION_MESSAGE => message,
        }, "{}", event::EXCEPTION);
    }
    match (facts.kind, failure.is_some()) {
        (UnitKind::Workflow, true) => emit!(Level::ERROR, event::WORKFLOW_RUN_ENDED, {
            a::WORKFLOW_ID => facts.workflow_id(),
            a::WORKFLOW_RUN_ID => facts.run_id(),
            a::WORKFLOW_STATUS => status,
            a::ERROR_TYPE => error_type,
            a::ERROR_MESSAGE => message,
        }, "{}", event::WORKFLOW_RUN_ENDED),
        (UnitKind::Workflow, false) => emit!(Level::INFO, event::WORKFLOW_RUN_ENDED, {
            a::WORKFLOW_ID => facts.workflow_id(),
            a::WORKFLOW_RUN_ID => facts.run_id(),
            a::WORKFLOW_STATUS => status,
        }, "{}", event::WORKFLOW_RUN_ENDED),
        (UnitKind::Agent, _) => emit!(Level::DEBUG, event::AGENT_RUN_ENDED, {
            a::AGENT_ID => facts.set.id.as_str(),
            a::AGENT_ACTION => facts.set.trigger_or_action.as_str(),
            a::AGENT_STATUS => status,
            a::ERROR_TYPE => error_type,
            a::ERROR_MESSAGE => message,
            a::WORKFLOW_RUN_ID => facts.run_id(),
        }, "{}", event::AGENT_RUN_ENDED),
    }
}
