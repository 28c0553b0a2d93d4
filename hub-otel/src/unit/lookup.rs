//! Looks up the unit and the workflow of a context.

use crate::semconv::attribute::{WORKFLOW_ID, WORKFLOW_RUN_ID};
use crate::unit::stack;
use crate::unit::state::{ActiveUnit, ParentWorkflow};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use std::sync::Arc;

/// Returns the unit that runs under `context`.
///
/// A context that another library kept from before the unit began does not carry the unit: the
/// innermost unit that is polled on this thread is used instead, if it is of the same trace.
pub(crate) fn active_unit(context: &Context) -> Option<Arc<ActiveUnit>> {
    context.get::<Arc<ActiveUnit>>().cloned().or_else(|| stack::innermost(context))
}

/// Returns the workflow that an agent started under `context` belongs to.
pub(crate) fn parent_workflow(context: &Context) -> Option<ParentWorkflow> {
    if let Some(unit) = context.get::<Arc<ActiveUnit>>() {
        return unit.workflow();
    }
    context
        .get::<ParentWorkflow>()
        .cloned()
        .or_else(|| stack::innermost(context)?.workflow())
        .or_else(|| from_baggage(context))
}

/// Returns whether an unsampled unit runs under `context`.
pub(crate) fn is_unsampled(context: &Context) -> bool {
    active_unit(context).is_some_and(|unit| unit.span.is_none())
}

/// Reads the workflow from the baggage that a boundary with trusted callers accepted.
fn from_baggage(context: &Context) -> Option<ParentWorkflow> {
    let baggage = context.baggage();
    let id = baggage.get(WORKFLOW_ID)?.clone();
    Some(ParentWorkflow { id, run_id: baggage.get(WORKFLOW_RUN_ID).cloned() })
}
