//! Which units are being polled on this thread, innermost last: the one home of the library's thread-local state.
//!
//! A unit's state moves into a frame for the length of a poll and back into its future afterwards. That is how a unit
//! that does not record costs no allocation, and how two workflows that take turns on one thread never mix.

use crate::unit::arguments::Prepared;
use crate::unit::callsite::Site;
use crate::unit::state::Unit;
use opentelemetry::Context;
use opentelemetry::ContextGuard;
use opentelemetry::trace::TraceContextExt;
use std::cell::RefCell;

/// The state of a unit.
pub(crate) enum Inside {
    /// Not recorded at all, or over.
    Inert,
    /// Not polled yet, or polled for the first time. The context is that of the call: the parent of a unit that is first
    /// polled where none is active.
    Opening(&'static Site, Context),
    /// The same, and everything was evaluated at the call.
    Prepared(Box<Prepared>),
    /// It records: everything else is in the span of this context.
    Recorded(Context),
    /// It only counts. The context is the one that it runs under.
    Counted(Unit, Context),
}

/// One poll.
struct Frame {
    inside: Inside,
    guard: Option<ContextGuard>,
}

/// The polls of this thread. A place is used again and again, and is inert meanwhile: most polls write a few words of it.
struct Frames {
    places: Vec<Frame>,
    depth: usize,
}

thread_local! {
    static FRAMES: RefCell<Frames> = {
        // Thread-locals are destroyed in the reverse order of their first use: while this one lives, so does OTel's.
        Context::map_current(|_| ());
        RefCell::new(Frames { places: Vec::with_capacity(8), depth: 0 })
    };
}

impl Frames {
    /// An inert place for a poll that begins.
    #[inline]
    fn enter(&mut self) -> &mut Frame {
        if self.depth >= self.places.len() {
            self.grow();
        }
        self.depth += 1;
        &mut self.places[self.depth - 1]
    }

    #[cold]
    fn grow(&mut self) {
        self.places.push(Frame { inside: Inside::Inert, guard: None });
    }

    #[inline]
    fn last(&mut self) -> Option<&mut Frame> {
        self.places.get_mut(self.depth.checked_sub(1)?)
    }
}

impl Inside {
    /// Sets what has nothing left to drop, without looking for it.
    #[inline]
    pub(super) fn start(&mut self, state: Inside) {
        std::mem::forget(std::mem::replace(self, state));
    }
}

/// Begins a poll: attaches the unit's context, and takes its state. On a thread that is ending nothing happens.
#[inline(never)]
pub(super) fn push(inside: &mut Inside) {
    let _ = FRAMES.try_with(|frames| {
        let guard = match inside {
            Inside::Recorded(context) | Inside::Counted(_, context) => {
                Some(context.clone().attach())
            }
            Inside::Inert | Inside::Opening(..) | Inside::Prepared(_) => None,
        };
        let mut frames = frames.borrow_mut();
        let frame = frames.enter();
        frame.guard = guard;
        std::mem::swap(&mut frame.inside, inside);
    });
}

/// Begins the first poll of a unit whose body says what it is.
#[inline]
pub(super) fn push_deferred(site: &'static Site, captured: Context) {
    let _ = FRAMES.try_with(|frames| {
        frames.borrow_mut().enter().inside.start(Inside::Opening(site, captured));
    });
}

/// Begins the first poll of a unit that only counts, under the context that is active already.
#[inline]
pub(super) fn push_counted(unit: Unit, context: Context) {
    let _ = FRAMES.try_with(|frames| {
        unit.set.add_active(1);
        frames.borrow_mut().enter().inside.start(Inside::Counted(unit, context));
    });
}

/// Ends a poll of a unit that goes on: gives the state back.
pub(super) fn pop(inside: &mut Inside) {
    let guard = FRAMES.try_with(|frames| {
        let mut frames = frames.borrow_mut();
        let frame = frames.last()?;
        let guard = frame.guard.take();
        std::mem::swap(&mut frame.inside, inside);
        frames.depth -= 1;
        guard
    });
    drop(guard);
}

/// Ends the last poll of a unit that records: its context, attached until the guard is dropped. `None`: it does not.
#[inline]
pub(super) fn finish_recorded() -> Option<(Context, Option<ContextGuard>)> {
    FRAMES
        .try_with(|frames| {
            let mut frames = frames.borrow_mut();
            let frame = frames.last()?;
            let Inside::Recorded(context) = &mut frame.inside else { return None };
            let finished = (std::mem::take(context), frame.guard.take());
            frame.inside.start(Inside::Inert);
            frames.depth -= 1;
            Some(finished)
        })
        .ok()?
}

/// Ends the last poll of any other unit. `None`: it never opened, or is not recorded.
#[inline]
pub(super) fn finish() -> Option<(Unit, Context, Option<ContextGuard>)> {
    FRAMES
        .try_with(|frames| {
            let mut frames = frames.borrow_mut();
            let frame = frames.last()?;
            let finished = match std::mem::replace(&mut frame.inside, Inside::Inert) {
                Inside::Counted(unit, context) => Some((unit, context, frame.guard.take())),
                _ => None,
            };
            frames.depth -= 1;
            finished
        })
        .ok()?
}

/// The call site and the context of the unit whose first poll this is, and whose body says what it is.
#[inline]
pub(super) fn deferred() -> Option<(&'static Site, Context)> {
    FRAMES
        .try_with(|frames| {
            let mut frames = frames.borrow_mut();
            let frame = frames.last()?;
            let Inside::Opening(site, captured) = &mut frame.inside else { return None };
            let deferred = (*site, std::mem::take(captured));
            frame.inside.start(Inside::Inert);
            Some(deferred)
        })
        .ok()?
}

/// Puts a unit that records into the frame of its first poll.
#[inline]
pub(super) fn record(context: Context) {
    let _ = FRAMES.try_with(|frames| {
        let guard = context.clone().attach();
        if let Some(frame) = frames.borrow_mut().last() {
            frame.guard = Some(guard);
            frame.inside.start(Inside::Recorded(context));
        }
    });
}

/// Puts a unit that only counts into the frame of its first poll. `attach`: its context is not the active one yet.
#[inline]
pub(super) fn count(unit: Unit, context: Context, attach: bool) {
    let _ = FRAMES.try_with(|frames| {
        let guard = attach.then(|| context.clone().attach());
        if let Some(frame) = frames.borrow_mut().last() {
            frame.guard = guard;
            frame.inside.start(Inside::Counted(unit, context));
        }
    });
}

/// Asks the innermost unit of this thread, if `context` belongs to it: a span that somebody else started below it does,
/// a context of another trace does not.
pub(super) fn innermost<T>(
    context: &Context,
    ask: impl FnOnce(&mut Inside) -> Option<T>,
) -> Option<T> {
    let span = context.span();
    let active = span.span_context();
    FRAMES
        .try_with(|frames| {
            let mut frames = frames.try_borrow_mut().ok()?;
            let depth = frames.depth;
            let frame = frames.places[..depth]
                .iter_mut()
                .rev()
                .find(|frame| matches!(frame.inside, Inside::Recorded(_) | Inside::Counted(..)))?;
            let belongs = match &frame.inside {
                Inside::Recorded(own) => active.trace_id() == own.span().span_context().trace_id(),
                Inside::Counted(_, own) => {
                    !active.is_valid() || active.trace_id() == own.span().span_context().trace_id()
                }
                Inside::Inert | Inside::Opening(..) | Inside::Prepared(_) => false,
            };
            if belongs { ask(&mut frame.inside) } else { None }
        })
        .ok()?
}

/// Whether the innermost unit of this thread records.
pub(crate) fn records() -> bool {
    let records = |frames: &RefCell<Frames>| {
        let frames = frames.borrow();
        matches!(
            frames.places[..frames.depth].last(),
            Some(Frame { inside: Inside::Recorded(_), .. })
        )
    };
    FRAMES.try_with(records).unwrap_or(false)
}
