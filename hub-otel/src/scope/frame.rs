//! Which units are being polled on this thread, innermost last: the one home of the library's thread-local state.
//!
//! A unit's state moves into a frame for the length of a poll and back into its future afterwards. That is how a unit
//! that does not record costs no allocation, and how two workflows that take turns on one thread never mix.

use super::lifecycle::Facts;
use super::opening::Seed;
use super::span;
use super::unit::{Enclosing, Shared, Unit};
use crate::contract::attribute::{WORKFLOW_ID, WORKFLOW_RUN_ID};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};
use std::cell::RefCell;
use std::sync::Arc;

/// The state of a unit.
pub(crate) enum Inside {
    /// Not recorded at all, or over.
    Inert,
    /// Not polled yet, or polled for the first time.
    Opening(Seed),
    /// It records: everything else is in the span of this context.
    Recorded(Context),
    /// It only counts. The context is the one that it runs under.
    Counted(Unit, Context),
}

struct Frame {
    inside: Inside,
    guard: Option<ContextGuard>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = {
        // Thread-locals are destroyed in the reverse order of their first use: while this one lives, so does OTel's.
        Context::map_current(|_| ());
        RefCell::new(Vec::with_capacity(8))
    };
}

/// Begins a poll: attaches the unit's context, and takes its state. On a thread that is ending nothing happens.
pub(crate) fn push(inside: &mut Inside) {
    let _ = FRAMES.try_with(|frames| {
        let guard = match inside {
            Inside::Recorded(context) | Inside::Counted(_, context) => Some(context.clone().attach()),
            Inside::Inert | Inside::Opening(_) => None,
        };
        let inside = std::mem::replace(inside, Inside::Inert);
        frames.borrow_mut().push(Frame { inside, guard });
    });
}

/// Ends a poll: gives the state back. The guard keeps the context attached until it is dropped.
pub(crate) fn pop(inside: &mut Inside) -> Option<ContextGuard> {
    let frame = FRAMES.try_with(|frames| frames.borrow_mut().pop()).ok()??;
    *inside = frame.inside;
    frame.guard
}

/// The seed of the unit whose first poll this is.
pub(crate) fn seed() -> Option<Seed> {
    FRAMES
        .try_with(|frames| {
            let mut frames = frames.borrow_mut();
            let inside = &mut frames.last_mut()?.inside;
            match std::mem::replace(inside, Inside::Inert) {
                Inside::Opening(seed) => Some(seed),
                other => {
                    *inside = other;
                    None
                }
            }
        })
        .ok()?
}

/// Puts an opened unit into the frame that its seed came from, and attaches its context.
pub(crate) fn settle(inside: Inside) {
    let _ = FRAMES.try_with(|frames| {
        let guard = match &inside {
            Inside::Recorded(context) | Inside::Counted(_, context) => Some(context.clone().attach()),
            Inside::Inert | Inside::Opening(_) => None,
        };
        if let Some(frame) = frames.borrow_mut().last_mut() {
            *frame = Frame { inside, guard };
        }
    });
}

/// Asks the innermost unit of this thread, if `context` belongs to it: a span that somebody else started below it does,
/// a context of another trace does not.
fn innermost<T>(context: &Context, ask: impl FnOnce(&mut Inside) -> Option<T>) -> Option<T> {
    let span = context.span();
    let active = span.span_context();
    FRAMES
        .try_with(|frames| {
            let mut frames = frames.try_borrow_mut().ok()?;
            let frame = frames
                .iter_mut()
                .rev()
                .find(|frame| matches!(frame.inside, Inside::Recorded(_) | Inside::Counted(..)))?;
            let belongs = match &frame.inside {
                Inside::Recorded(own) => active.trace_id() == own.span().span_context().trace_id(),
                Inside::Counted(_, own) => {
                    !active.is_valid() || active.trace_id() == own.span().span_context().trace_id()
                }
                Inside::Inert | Inside::Opening(_) => false,
            };
            if belongs { ask(&mut frame.inside) } else { None }
        })
        .ok()?
}

/// The workflow above whatever starts under `context` on this thread.
pub(crate) fn enclosing(context: &Context) -> Option<Enclosing> {
    if let Some(enclosing) = span::enclosing(context) {
        return enclosing;
    }
    if context.span().span_context().is_remote()
        && let Some(enclosing) = context.get::<Enclosing>()
    {
        return Some(enclosing.clone());
    }
    innermost(context, |inside| match inside {
        Inside::Recorded(own) => span::enclosing(own).flatten(),
        Inside::Counted(unit, _) => unit.enclosing(),
        Inside::Inert | Inside::Opening(_) => None,
    })
    .or_else(|| context.get::<Enclosing>().cloned())
    .or_else(|| from_baggage(context))
}

/// The unit that runs under `context` on this thread, and the context of its span when it records.
pub(crate) fn unit(context: &Context) -> Option<(Arc<Shared>, Option<Context>)> {
    if let Some(shared) = span::shared(context) {
        return Some((shared, Some(context.clone())));
    }
    innermost(context, |inside| match inside {
        Inside::Recorded(own) => Some((span::shared(own)?, Some(own.clone()))),
        Inside::Counted(unit, _) => Some((unit.shared(), None)),
        Inside::Inert | Inside::Opening(_) => None,
    })
}

/// Whether the innermost unit of this thread records.
pub(crate) fn records() -> bool {
    let records = |frames: &RefCell<Vec<Frame>>| {
        matches!(frames.borrow().last(), Some(Frame { inside: Inside::Recorded(_), .. }))
    };
    FRAMES.try_with(records).unwrap_or(false)
}

/// What the log says of the unit that runs under `context` on this thread.
pub(crate) fn describe(context: &Context) -> Option<Facts> {
    span::describe(context).or_else(|| {
        innermost(context, |inside| match inside {
            Inside::Recorded(own) => span::describe(own),
            Inside::Counted(unit, _) => Some(unit.describe()),
            Inside::Inert | Inside::Opening(_) => None,
        })
    })
}

/// Whether the innermost unit under `context` only counts.
pub(crate) fn counts(context: &Context) -> bool {
    innermost(context, |inside| Some(matches!(inside, Inside::Counted(..)))).unwrap_or(false)
}

/// A boundary that trusts its callers has taken their baggage.
fn from_baggage(context: &Context) -> Option<Enclosing> {
    let baggage = context.baggage();
    let id = baggage.get(WORKFLOW_ID)?.clone();
    Some(Enclosing { id, run_id: baggage.get(WORKFLOW_RUN_ID).cloned() })
}
