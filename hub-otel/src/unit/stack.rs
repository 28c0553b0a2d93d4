//! Unit of a context, and the thread-local stack of the units that are being polled.
//!
//! A unit's state moves from its wrapper future to the stack for the length of a poll and back
//! afterwards. That lets the body open the unit ([`open`](crate::unit::start::open)), and keeps
//! two workflows apart that are polled in turn on one thread.

use crate::semconv::attribute::{WORKFLOW_ID, WORKFLOW_RUN_ID};
use crate::unit::arguments::EvaluatedArgs;
use crate::unit::callsite::Callsite;
use crate::unit::identity::{ParentWorkflow, new_run_id};
use crate::unit::run_attributes::RunAttributes;
use crate::unit::state::ActiveUnit;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};
use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::sync::Arc;

/// State of a unit, as its wrapper future keeps it between polls.
#[derive(Default)]
pub(crate) enum UnitState {
    /// Not recorded, or ended.
    #[default]
    Inert,
    /// Not opened yet. The context is the one of the call.
    Opening(&'static Callsite, Context),
    /// Not opened yet; the arguments were evaluated at the call.
    Prepared(Box<EvaluatedArgs>),
    /// Opened. The context carries the unit and, if it is sampled, its span.
    Active(Arc<ActiveUnit>, Context),
}

/// One poll. The guard keeps the unit's context attached.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) state: UnitState,
    pub(super) guard: Option<ContextGuard>,
}

/// The polls of one thread.
struct UnitStack {
    frames: Vec<Frame>,
    last_panic: Option<LastPanic>,
    /// Unset if the first use is during the destruction of the thread-locals.
    is_usable: bool,
}

/// The last panic in a unit of one thread.
struct LastPanic {
    /// Hash of its text: a unit may end by another panic, which no hook was called for.
    text: u64,
    /// Text and location.
    message: String,
}

thread_local! {
    /// Set while the stack is created. That may panic, and the panic hook must not use it then.
    static IS_CREATING: Cell<bool> = const { Cell::new(false) };

    static STACK: RefCell<UnitStack> = {
        // Thread-locals are destroyed in the reverse order of their first use. Units need
        // OpenTelemetry's and the one of the random numbers: use those first.
        IS_CREATING.set(true);
        let is_usable = catch_unwind(|| {
            Context::map_current(|_| ());
            let _ = new_run_id();
        })
        .is_ok();
        IS_CREATING.set(false);
        RefCell::new(UnitStack { frames: Vec::with_capacity(8), last_panic: None, is_usable })
    };
}

/// Calls `f` with the stack. `None` during thread-local destruction.
fn with_stack<T>(f: impl FnOnce(&mut UnitStack) -> T) -> Option<T> {
    let f = |stack: &RefCell<UnitStack>| {
        let mut stack = stack.borrow_mut();
        stack.is_usable.then(|| f(&mut stack))
    };
    STACK.try_with(f).ok().flatten()
}

/// Returns the current context. `None` during thread-local destruction, where OpenTelemetry panics.
pub(super) fn current_context() -> Option<Context> {
    with_stack(|_| Context::current())
}

/// Returns the unit that runs under the current context.
pub(super) fn current_unit() -> Option<Arc<ActiveUnit>> {
    with_stack(|_| ())?;
    Context::map_current(active_unit)
}

/// Notes a panic, if a unit is polled on this thread. Called by a panic hook, which must not panic:
/// the stack may be borrowed.
pub(super) fn set_last_panic(text: Option<&str>, message: impl FnOnce() -> String) {
    if IS_CREATING.get() {
        return;
    }
    let _ = STACK.try_with(|stack| {
        if let Ok(mut stack) = stack.try_borrow_mut()
            && !stack.frames.is_empty()
        {
            stack.last_panic = Some(LastPanic { text: hash(text), message: message() });
        }
    });
}

/// Returns the message of the last panic.
pub(super) fn last_panic() -> Option<String> {
    with_stack(|stack| Some(stack.last_panic.as_ref()?.message.clone())).flatten()
}

/// Returns the message of the last panic, if its text was `text`.
pub(super) fn last_panic_with(text: Option<&str>) -> Option<String> {
    with_stack(|stack| {
        let last = stack.last_panic.as_ref().filter(|last| last.text == hash(text))?;
        Some(last.message.clone())
    })
    .flatten()
}

fn hash(text: Option<&str>) -> u64 {
    std::hash::BuildHasher::hash_one(&rustc_hash::FxBuildHasher, text)
}

/// Begins a poll: attaches the unit's context.
///
/// # Errors
/// Returns the state during thread-local destruction.
pub(super) fn push(state: UnitState) -> Result<(), UnitState> {
    let has_ambient = matches!(&state, UnitState::Active(unit, _) if unit.ambient.is_open());
    let mut state = Some(state);
    with_stack(|stack| {
        let state = state.take().unwrap_or_default();
        let guard = match &state {
            UnitState::Active(_, context) => Some(context.clone().attach()),
            UnitState::Inert | UnitState::Opening(..) | UnitState::Prepared(_) => None,
        };
        stack.frames.push(Frame { state, guard });
    });
    if has_ambient && state.is_none() {
        enter_ambient();
    }
    state.map_or(Ok(()), Err)
}

/// Enters the `tracing` span of the innermost unit. The stack is not borrowed meanwhile: the
/// subscriber uses it.
#[cold]
fn enter_ambient() {
    let unit = with_stack(|stack| match stack.frames.last() {
        Some(Frame { state: UnitState::Active(unit, _), .. }) => Some(Arc::clone(unit)),
        _ => None,
    });
    if let Some(unit) = unit.flatten() {
        unit.ambient.enter();
    }
}

/// Ends a poll: leaves the unit's `tracing` span. The context stays attached until the returned
/// frame is dropped.
pub(super) fn pop() -> Frame {
    let frame = with_stack(|stack| stack.frames.pop()).flatten().unwrap_or_default();
    if let UnitState::Active(unit, _) = &frame.state {
        unit.ambient.exit();
    }
    frame
}

/// Returns whether telemetry is suppressed in the current context, as on the export threads, or
/// the thread's thread-locals are being destroyed.
#[cfg(feature = "tracing")]
pub(crate) fn is_suppressed() -> bool {
    let is_usable = STACK.try_with(|stack| stack.try_borrow().is_ok_and(|stack| stack.is_usable));
    !is_usable.unwrap_or(false) || Context::is_current_telemetry_suppressed()
}

/// Takes call site and context of the unit whose first poll is running. `None` if it is open.
pub(super) fn take_opening() -> Option<(&'static Callsite, Context)> {
    with_stack(|stack| {
        let frame = stack.frames.last_mut()?;
        match std::mem::take(&mut frame.state) {
            UnitState::Opening(callsite, captured) => Some((callsite, captured)),
            other => {
                frame.state = other;
                None
            }
        }
    })
    .flatten()
}

/// Makes `unit` the one of the running poll and attaches its context.
///
/// Returns `false` during thread-local destruction.
pub(super) fn activate(unit: Arc<ActiveUnit>, context: Context) -> bool {
    let guard = context.clone().attach();
    with_stack(|stack| {
        let Some(frame) = stack.frames.last_mut() else { return false };
        *frame = Frame { state: UnitState::Active(unit, context), guard: Some(guard) };
        true
    })
    .unwrap_or(false)
}

/// Returns the innermost unit, if `context` belongs to the same trace: a span that another library
/// started in the unit does, a context that was received from another process does not.
fn innermost(context: &Context) -> Option<Arc<ActiveUnit>> {
    let span = context.span();
    let active = span.span_context();
    with_stack(|stack| {
        let (unit, own) = stack.frames.iter().rev().find_map(|frame| match &frame.state {
            UnitState::Active(unit, own) => Some((unit, own)),
            UnitState::Inert | UnitState::Opening(..) | UnitState::Prepared(_) => None,
        })?;
        let same_trace = active.trace_id() == own.span().span_context().trace_id();
        let no_trace = unit.span.is_none() && !active.is_valid();
        (same_trace || no_trace).then(|| Arc::clone(unit))
    })
    .flatten()
}

/// Returns whether the unit of the running poll has a span.
pub(super) fn is_sampled() -> bool {
    with_stack(|stack| match stack.frames.last() {
        Some(Frame { state: UnitState::Active(unit, _), .. }) => unit.span.is_some(),
        _ => false,
    })
    .unwrap_or(false)
}

/// Returns the unit that runs under `context`.
///
/// A context that another library kept from before the unit began does not carry the unit: the
/// innermost unit that is polled on this thread is used instead, if it is of the same trace.
pub(crate) fn active_unit(context: &Context) -> Option<Arc<ActiveUnit>> {
    context.get::<Arc<ActiveUnit>>().cloned().or_else(|| innermost(context))
}

/// Returns the innermost agent or workflow that `unit` is, or that is around it in this process.
pub(super) fn counted_unit(unit: Arc<ActiveUnit>) -> Option<Arc<ActiveUnit>> {
    if unit.kind.is_counted() {
        return Some(unit);
    }
    let late = unit.late();
    late.call.as_ref()?.owner().cloned()
}

/// Returns the attributes of the run that a unit under `context` inherits.
#[inline]
pub(crate) fn inherited_attributes(context: &Context) -> Option<RunAttributes> {
    if !RunAttributes::are_in_use() {
        return None;
    }
    attributes_of(context, active_unit(context).as_deref())
}

/// Same as [`inherited_attributes`], for a caller that has the unit of `context`.
#[inline]
pub(super) fn attributes_of(context: &Context, unit: Option<&ActiveUnit>) -> Option<RunAttributes> {
    if !RunAttributes::are_in_use() {
        return None;
    }
    match unit {
        Some(unit) => unit.late().run_attributes.clone(),
        None => context.get::<RunAttributes>().cloned(),
    }
}

/// Returns the workflow that an agent started under `context` belongs to.
pub(crate) fn parent_workflow(context: &Context) -> Option<ParentWorkflow> {
    workflow_of(context, active_unit(context).as_deref())
}

/// Same as [`parent_workflow`], for a caller that has the unit of `context`.
pub(super) fn workflow_of(context: &Context, unit: Option<&ActiveUnit>) -> Option<ParentWorkflow> {
    if context.get::<Arc<ActiveUnit>>().is_some() {
        return unit?.workflow();
    }
    context
        .get::<ParentWorkflow>()
        .cloned()
        .or_else(|| unit?.workflow())
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
