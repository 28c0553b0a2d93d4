//! The wrapper around an annotated function: one future, or one call where the function is not async.

use crate::instance;
use crate::unit::arguments::{Opening, Prepared};
use crate::unit::callsite::Site;
use crate::unit::finish::Ending;
use crate::unit::outcome::Classification;
use crate::unit::stack::Inside;
use crate::unit::{events as lifecycle, finish as end, span, stack as frame, start};
use opentelemetry::Context as Environment;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

pin_project! {
    /// A future that is a unit of work. Made by [`run`]; opens when it is first polled.
    #[must_use = "a unit of work does nothing unless it is awaited or polled"]
    pub struct Run<F, C> {
        inside: Inside,
        classify: C,
        #[pin]
        body: Option<F>,
    }

    impl<F, C> PinnedDrop for Run<F, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if matches!(this.inside, Inside::Recorded(_) | Inside::Counted(..)) {
                // The body's own drops still belong to the unit.
                let dropping = Entered::new(this.inside, Ending::dropped);
                this.body.set(None);
                drop(dropping);
            }
        }
    }
}

/// The unit of an async function: `body` is its block, `classify` says what its value means.
#[inline]
pub fn run<F, C>(site: &'static Site, body: F, classify: C) -> Run<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
{
    Run {
        inside: if instance::in_use() { called(site) } else { Inside::Inert },
        classify,
        body: Some(body),
    }
}

/// The unit of a function that returns a future: its identity was evaluated at the call.
#[inline]
pub fn run_prepared<F, C>(prepared: Option<Prepared>, body: F, classify: C) -> Run<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
{
    let inside = prepared.map_or(Inside::Inert, |prepared| {
        Inside::Prepared(Box::new(prepared.captured(Environment::current())))
    });
    Run { inside, classify, body: Some(body) }
}

/// Where and under what the unit was called.
#[inline(never)]
fn called(site: &'static Site) -> Inside {
    Inside::Opening(site, Environment::current())
}

pub(crate) use run_prepared as run_inside;

/// Where a function that returns a future evaluates its identity: at the call, and only where something records.
#[inline]
pub fn prepare(
    site: &'static Site,
    describe: impl FnOnce(Opening<'static>) -> Prepared,
) -> Option<Prepared> {
    if instance::in_use() { Some(describe(Opening::prepared(site))) } else { None }
}

/// The unit of a function that is not async: it begins at the call, and cannot be cancelled.
#[inline]
pub fn call<T>(
    site: &'static Site,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Classification),
) -> T {
    // It opens where it is called: no context needs to be kept.
    let open = instance::in_use().then(|| Inside::Opening(site, Environment::new()));
    call_opening(open, body, classify)
}

/// The same for a unit whose identity is known already.
pub(crate) fn call_inside<T>(
    prepared: Option<Prepared>,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Classification),
) -> T {
    call_opening(prepared.map(|prepared| Inside::Prepared(Box::new(prepared))), body, classify)
}

#[inline]
fn call_opening<T>(
    opening: Option<Inside>,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Classification),
) -> T {
    let Some(mut inside) = opening else { return body() };
    let entered = Entered::new(&mut inside, Ending::panicked);
    let value = body();
    let mut closing = Classification::of_running();
    classify(&value, &mut closing);
    entered.close(&mut closing);
    value
}

impl<F, C> Future for Run<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            unreachable!("a unit without a body is one that is being dropped")
        };
        if let Inside::Inert = this.inside {
            return body.poll(cx);
        }
        let entered = Entered::new(this.inside, Ending::panicked);
        match body.poll(cx) {
            Poll::Pending => {
                entered.leave();
                Poll::Pending
            }
            Poll::Ready(value) => {
                let mut closing = Classification::of_running();
                (this.classify)(&value, &mut closing);
                entered.close(&mut closing);
                Poll::Ready(value)
            }
        }
    }
}

/// Begins the first poll of a unit that will only count, without its body's help. `false`: it opens like any other.
#[inline(never)]
fn count_at_once(inside: &mut Inside) -> bool {
    let Inside::Opening(site, captured) = inside else { return false };
    let Some((unit, context)) = start::count_at_once(site, captured) else { return false };
    *inside = Inside::Inert;
    frame::push_counted(unit, context);
    true
}

/// A unit whose code is running on this thread. Dropped without a word, it ends as `otherwise` says: that is how a
/// panic is seen, which unwinds through here and nowhere else.
struct Entered<'a> {
    /// `None` once it has left.
    inside: Option<&'a mut Inside>,
    otherwise: fn() -> Ending,
}

impl<'a> Entered<'a> {
    #[inline(never)]
    fn new(inside: &'a mut Inside, otherwise: fn() -> Ending) -> Self {
        if let Inside::Opening(site, captured) = inside
            && site.complete
            && start::may_count(captured)
            && count_at_once(inside)
        {
            let entered = Self { inside: Some(inside), otherwise };
            lifecycle::started(false);
            return entered;
        }
        match inside {
            // The body says what it is.
            Inside::Opening(site, captured) if site.deferred => {
                let (site, captured) = (*site, std::mem::take(captured));
                inside.start(Inside::Inert);
                frame::push_deferred(site, captured);
            }
            Inside::Opening(..) | Inside::Prepared(_) => return Self::open(inside, otherwise),
            Inside::Inert | Inside::Recorded(_) | Inside::Counted(..) => frame::push(inside),
        }
        Self { inside: Some(inside), otherwise }
    }

    /// Everything is known before the body runs.
    #[inline(never)]
    fn open(inside: &'a mut Inside, otherwise: fn() -> Ending) -> Self {
        let opening = std::mem::replace(inside, Inside::Inert);
        frame::push(inside);
        let entered = Self { inside: Some(inside), otherwise };
        match opening {
            Inside::Opening(site, captured) => Opening::new(site, captured).begin(|_| {}),
            Inside::Prepared(prepared) => prepared.begin(),
            Inside::Inert | Inside::Recorded(_) | Inside::Counted(..) => {}
        }
        entered
    }

    /// The poll ended, the unit goes on.
    #[inline(never)]
    fn leave(mut self) {
        if let Some(inside) = self.inside.take() {
            frame::pop(inside);
        }
    }

    /// The body returned, and its value was looked at while the unit still ran.
    #[inline(never)]
    fn close(mut self, closing: &mut Classification) {
        self.end(&mut closing.ending);
    }

    #[inline]
    fn end(&mut self, ending: &mut Ending) {
        if self.inside.take().is_none() {
            return;
        }
        // Contexts stay attached until the unit is over: its last log record carries its ids.
        if let Some((context, _attached)) = frame::finish_recorded() {
            lifecycle::ended_recorded(&context, ending);
            span::end(&context, ending);
        } else if let Some((mut unit, _context, _attached)) = frame::finish() {
            lifecycle::ended_counted(&mut unit, ending);
            end::counted(&unit, ending);
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.inside.is_some() {
            let mut ending = (self.otherwise)();
            self.end(&mut ending);
        }
    }
}
