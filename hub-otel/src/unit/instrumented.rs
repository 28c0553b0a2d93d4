//! Wrapper around an annotated function: a future, or a call for functions that are not async.

use crate::contain::contain;
use crate::instance;
use crate::status::UnitStatus;
use crate::unit::arguments::{EvaluatedArgs, UnitArgs};
use crate::unit::callsite::Callsite;
use crate::unit::ending::Ending;
use crate::unit::finish::{finish_detached, finish_unit};
use crate::unit::outcome::Classification;
use crate::unit::stack::UnitState;
use crate::unit::start::start_detached;
use crate::unit::state::ActiveUnit;
use crate::unit::{panic_text, stack, unrecorded};
use opentelemetry::Context as OtelContext;
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pin_project! {
    /// A future that runs as a unit of work, which starts on the first poll.
    ///
    /// Returned by [`Unit::run`](crate::Unit::run).
    ///
    /// ```
    /// # async fn scan() -> Result<(), std::io::Error> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::io::Error> {
    /// let unit = hub_otel::agent("scanner", "scan").run(scan());
    /// tokio::spawn(unit).await.unwrap()
    /// # }
    /// ```
    #[must_use = "a unit of work does nothing unless it is awaited or polled"]
    pub struct Instrumented<F, C> {
        state: UnitState,
        classify: C,
        #[pin]
        body: Option<F>,
    }

    impl<F, C> PinnedDrop for Instrumented<F, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(entered) = drop_inside(this.state, || this.body.set(None)) {
                entered.finish(Ending::cancelled());
            }
        }
    }
}

impl<F, C> std::fmt::Debug for Instrumented<F, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrumented").finish_non_exhaustive()
    }
}

/// Runs the block of an async function as a unit. `classify` maps its value to an outcome.
#[inline]
pub fn run<F, C>(callsite: &'static Callsite, body: F, classify: C) -> Instrumented<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
{
    Instrumented { state: opening(callsite), classify, body: Some(body) }
}

/// Runs a future as a unit whose arguments were evaluated at the call. `None` records nothing.
#[inline]
pub fn run_prepared<F, C>(
    prepared: Option<EvaluatedArgs>,
    body: F,
    classify: C,
) -> Instrumented<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
{
    Instrumented { state: prepared_state(prepared), classify, body: Some(body) }
}

/// State of a unit whose arguments are evaluated on its first poll.
#[inline]
pub(super) fn opening(callsite: &'static Callsite) -> UnitState {
    if instance::in_use() {
        UnitState::Opening(callsite, stack::current_context().unwrap_or_default())
    } else {
        unrecorded::before_the_install(callsite.kind, callsite.id);
        UnitState::Inert
    }
}

/// State of a unit whose arguments were evaluated at the call.
#[inline]
pub(super) fn prepared_state(prepared: Option<EvaluatedArgs>) -> UnitState {
    prepared.map_or(UnitState::Inert, |args| {
        UnitState::Prepared(Box::new(args.captured(stack::current_context().unwrap_or_default())))
    })
}

/// Evaluates the arguments of a function that returns a future or a stream, at its call.
#[inline]
pub fn prepare(
    callsite: &'static Callsite,
    describe: impl FnOnce(UnitArgs<'static>) -> EvaluatedArgs,
) -> Option<EvaluatedArgs> {
    let args = || UnitArgs::new(callsite, OtelContext::new());
    if instance::in_use() {
        return Some(contain(|| describe(args())).unwrap_or_else(|| args().prepare(|_| {})));
    }
    unrecorded::before_the_install(callsite.kind, callsite.id);
    None
}

/// Calls `body` as a unit. It starts at the call and cannot be cancelled.
#[inline]
pub fn call<T>(
    callsite: &'static Callsite,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Classification),
) -> T {
    if instance::in_use() {
        // The unit starts under the active context: there is no other one to capture.
        call_unit(UnitState::Opening(callsite, OtelContext::new()), body, classify)
    } else {
        unrecorded::before_the_install(callsite.kind, callsite.id);
        body()
    }
}

/// Calls `body` as a unit whose arguments were evaluated before. `None` records nothing.
pub(super) fn call_prepared<T>(
    prepared: Option<EvaluatedArgs>,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Classification),
) -> T {
    match prepared {
        Some(args) => call_unit(UnitState::Prepared(Box::new(args)), body, classify),
        None => body(),
    }
}

fn call_unit<T>(
    mut state: UnitState,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Classification),
) -> T {
    let (value, entered) = run_inside(&mut state, body, |ending| ending);
    let ending = end_of(&value, classify);
    entered.finish(ending);
    value
}

/// Runs `code` inside the unit in `state`, and returns its value with the unit still entered. A
/// panic ends the unit with the outcome that `describe` completes, and continues.
#[inline]
pub(super) fn run_inside<T>(
    state: &mut UnitState,
    code: impl FnOnce() -> T,
    describe: impl FnOnce(Ending) -> Ending,
) -> (T, Entered<'_>) {
    let entered = Entered::new(state, panic_text::unknown);
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => (value, entered),
        // The payload is the only source of the panic's text.
        Err(payload) => {
            entered.finish(describe(panic_text::ending(&*payload)));
            resume_unwind(payload)
        }
    }
}

/// Drops the body of an open unit inside the unit, where its destructors run. Returns the unit,
/// still entered. `None` if the unit has not started or has ended: the body is kept.
pub(super) fn drop_inside(state: &mut UnitState, drop_body: impl FnOnce()) -> Option<Entered<'_>> {
    if !matches!(state, UnitState::Active(..)) {
        return None;
    }
    let entered = Entered::new(state, Ending::cancelled);
    drop_body();
    Some(entered)
}

/// Begins a unit that ends with the guard, and whose value is not classified.
#[inline]
pub fn enter(callsite: &'static Callsite) -> CallGuard {
    let is_recorded = instance::in_use();
    if is_recorded {
        let mut state = UnitState::Opening(callsite, OtelContext::new());
        // The guard ends it.
        Entered::new(&mut state, panic_text::unknown).state = None;
    }
    CallGuard { is_recorded, was_panicking: std::thread::panicking() }
}

/// A call in progress, in a function whose returned type only its signature can name.
#[derive(Debug)]
pub struct CallGuard {
    is_recorded: bool,
    was_panicking: bool,
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.is_recorded {
            let has_panicked = std::thread::panicking() && !self.was_panicking;
            finish_innermost(if has_panicked {
                panic_text::unknown()
            } else {
                Ending::new(UnitStatus::Success)
            });
        }
    }
}

/// Classifies a returned value. A panic in the user's functions for it does not reach the program.
pub(super) fn end_of<T>(value: &T, classify: impl FnOnce(&T, &mut Classification)) -> Ending {
    let mut classification = Classification::new(stack::is_sampled());
    if contain(|| classify(value, &mut classification)).is_none() {
        tracing::debug!(
            target: crate::semconv::SCOPE,
            "the function of `err`, `status` or of the builder panicked: the outcome may be incomplete"
        );
    }
    classification.into_ending()
}

impl<F, C> Future for Instrumented<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            unreachable!("the body is only removed in the destructor")
        };
        if matches!(this.state, UnitState::Inert) {
            return body.poll(cx);
        }
        let (poll, entered) = run_inside(this.state, || body.poll(cx), |ending| ending);
        let Poll::Ready(value) = poll else {
            entered.leave();
            return Poll::Pending;
        };
        let ending = end_of(&value, &*this.classify);
        entered.finish(ending);
        Poll::Ready(value)
    }
}

/// A unit whose code runs on this thread.
///
/// Dropped without [`leave`](Self::leave) or [`finish`](Self::finish), by a panic of the library or
/// in the destructor of the future, it ends the unit with `otherwise`.
pub(super) struct Entered<'a> {
    /// `None` once the poll is over.
    state: Option<&'a mut UnitState>,
    otherwise: fn() -> Ending,
    /// The state did not move to the stack, because the thread's thread-locals are destroyed.
    is_detached: bool,
}

impl<'a> Entered<'a> {
    #[inline(never)]
    pub(super) fn new(state: &'a mut UnitState, otherwise: fn() -> Ending) -> Self {
        let entering = std::mem::take(state);
        // Constructed first: a panic in an argument ends the unit.
        let mut entered = Self { state: Some(state), otherwise, is_detached: false };
        match entering {
            UnitState::Opening(callsite, captured) if !callsite.deferred => {
                let args = UnitArgs::new(callsite, captured);
                if stack::push(UnitState::Inert).is_ok() {
                    args.begin(|_| {});
                } else {
                    entered.detach(start_detached(&args));
                }
            }
            UnitState::Prepared(args) => {
                if stack::push(UnitState::Inert).is_ok() {
                    args.begin();
                } else {
                    entered.detach(start_detached(&args.args));
                }
            }
            // A deferred `Opening` is opened by the body.
            entering => match stack::push(entering) {
                Ok(()) => {}
                Err(UnitState::Active(unit, _)) => entered.detach(Some(unit)),
                // Its arguments are known in the body only, which cannot open it.
                Err(_) => entered.detach(None),
            },
        }
        entered
    }

    #[cold]
    fn detach(&mut self, unit: Option<Arc<ActiveUnit>>) {
        self.is_detached = true;
        if let (Some(state), Some(unit)) = (&mut self.state, unit) {
            **state = UnitState::Active(unit, OtelContext::new());
        }
    }

    /// Ends the poll of a unit that is pending.
    #[inline(never)]
    pub(super) fn leave(mut self) {
        if let Some(state) = self.state.take()
            && !self.is_detached
        {
            let frame = stack::pop();
            *state = frame.state;
            drop(frame.guard);
        }
    }

    /// Ends the unit.
    #[inline(never)]
    pub(super) fn finish(mut self, ending: Ending) {
        if self.is_detached {
            return self.finish_detached(ending);
        }
        self.state = None;
        finish_innermost(ending);
    }

    #[cold]
    fn finish_detached(&mut self, ending: Ending) {
        if let Some(UnitState::Active(unit, _)) = self.state.take().map(std::mem::take) {
            finish_detached(&unit, ending);
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.is_detached {
            self.finish_detached((self.otherwise)());
        } else if self.state.take().is_some() {
            finish_innermost((self.otherwise)());
        }
    }
}

fn finish_innermost(ending: Ending) {
    // The guard keeps the context attached until the unit has ended.
    let frame = stack::pop();
    if let UnitState::Active(unit, _) = &frame.state {
        finish_unit(unit, ending);
    }
}
