//! What runs here: the unit and the workflow that a context leads to on this thread.
//!
//! The span of the context is asked first. Where it is somebody else's, the innermost unit that is being polled answers.

use crate::semconv::attribute::{WORKFLOW_ID, WORKFLOW_RUN_ID};
use crate::unit::events::Facts;
use crate::unit::span;
use crate::unit::stack::{Inside, innermost};
use crate::unit::state::{Enclosing, Given, Shared};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use std::sync::Arc;

/// Nothing is kept of the texts of a unit that only counts.
const NOTHING: Given = Given { name: None, run_id: None };

/// The workflow above whatever starts under `context` on this thread.
pub(crate) fn enclosing(context: &Context) -> Option<Arc<Enclosing>> {
    if context.has_active_span() {
        if let Some(enclosing) = span::enclosing(context) {
            return enclosing;
        }
        if context.span().span_context().is_remote()
            && let Some(enclosing) = travelling(context)
        {
            return Some(enclosing);
        }
    }
    innermost(context, |inside| match inside {
        Inside::Recorded(own) => span::enclosing(own).flatten(),
        Inside::Counted(unit, _) => unit.enclosing(&NOTHING),
        Inside::Inert | Inside::Opening(..) | Inside::Prepared(_) => None,
    })
    .or_else(|| travelling(context))
    .or_else(|| from_baggage(context))
}

/// The unit that runs under `context` on this thread, and the context of its span when it records.
pub(crate) fn unit(context: &Context) -> Option<(Arc<Shared>, Option<Context>)> {
    if let Some(shared) = span::shared(context) {
        return Some((shared, Some(context.clone())));
    }
    innermost(context, |inside| match inside {
        Inside::Recorded(own) => Some((span::shared(own)?, Some(own.clone()))),
        Inside::Counted(unit, _) => Some((unit.shared(&NOTHING), None)),
        Inside::Inert | Inside::Opening(..) | Inside::Prepared(_) => None,
    })
}

/// What the log says of the unit that runs under `context` on this thread.
pub(crate) fn describe(context: &Context) -> Option<Facts> {
    span::describe(context).or_else(|| {
        innermost(context, |inside| match inside {
            Inside::Recorded(own) => span::describe(own),
            Inside::Counted(unit, _) => Some(unit.describe(&NOTHING)),
            Inside::Inert | Inside::Opening(..) | Inside::Prepared(_) => None,
        })
    })
}

/// Whether the innermost unit under `context` only counts.
pub(crate) fn counts(context: &Context) -> bool {
    innermost(context, |inside| Some(matches!(inside, Inside::Counted(..)))).unwrap_or(false)
}

/// The workflow that travels in the context itself, where no span of ours is seen.
fn travelling(context: &Context) -> Option<Arc<Enclosing>> {
    context.get::<Enclosing>().cloned().map(Arc::new)
}

/// A boundary that trusts its callers has taken their baggage.
fn from_baggage(context: &Context) -> Option<Arc<Enclosing>> {
    let baggage = context.baggage();
    let id = baggage.get(WORKFLOW_ID)?.clone();
    Some(Arc::new(Enclosing { id, run_id: baggage.get(WORKFLOW_RUN_ID).cloned() }))
}
