//! The wrapper around an annotated function: one future, or one call where the function is not async.

use super::end::{self, Ending};
use super::frame::{self, Inside};
use super::lifecycle;
use super::opening::{Origin, Prepared, Seed};
use super::outcome::Closing;
use super::site::Site;
use super::span;
use opentelemetry::ContextGuard;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

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
    C: Fn(&F::Output, &mut Closing),
{
    Run { inside: Seed::at(site).map_or(Inside::Inert, Inside::Opening), classify, body: Some(body) }
}

/// The unit of a function that returns a future: its identity was evaluated at the call.
#[inline]
pub fn run_prepared<F, C>(prepared: Option<Prepared>, body: F, classify: C) -> Run<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Closing),
{
    let inside = prepared.map_or(Inside::Inert, |prepared| {
        Inside::Opening(Seed::capture(Origin::Prepared(Box::new(prepared))))
    });
    Run { inside, classify, body: Some(body) }
}

pub(crate) use run_prepared as run_inside;

/// Where a function that returns a future evaluates its identity: at the call, and only where something records.
#[inline]
pub fn prepare(
    site: &'static Site,
    describe: impl FnOnce(super::opening::Opening<'static>) -> Prepared,
) -> Option<Prepared> {
    if crate::instance::in_use() { Some(describe(super::opening::Opening::prepared(site))) } else { None }
}

/// The unit of a function that is not async: it begins at the call, and cannot be cancelled.
#[inline]
pub fn call<T>(site: &'static Site, body: impl FnOnce() -> T, classify: impl FnOnce(&T, &mut Closing)) -> T {
    call_seeded(Seed::at(site), body, classify)
}

/// The same for a unit whose identity is known already.
pub(crate) fn call_inside<T>(
    prepared: Option<Prepared>,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Closing),
) -> T {
    call_seeded(prepared.map(|prepared| Seed::capture(Origin::Prepared(Box::new(prepared)))), body, classify)
}

#[inline]
fn call_seeded<T>(
    seed: Option<Seed>,
    body: impl FnOnce() -> T,
    classify: impl FnOnce(&T, &mut Closing),
) -> T {
    let Some(seed) = seed else { return body() };
    let mut inside = Inside::Opening(seed);
    let entered = Entered::new(&mut inside, Ending::panicked);
    let value = body();
    let mut closing = entered.closing();
    classify(&value, &mut closing);
    entered.close(closing);
    value
}

impl<F, C> Future for Run<F, C>
where
    F: Future,
    C: Fn(&F::Output, &mut Closing),
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
                let mut closing = entered.closing();
                (this.classify)(&value, &mut closing);
                entered.close(closing);
                Poll::Ready(value)
            }
        }
    }
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
        let opens = matches!(inside, Inside::Opening(seed) if !seed.is_deferred());
        frame::push(inside);
        let entered = Self { inside: Some(inside), otherwise };
        if opens && let Some(seed) = frame::seed() {
            seed.open();
        }
        entered
    }

    /// The poll ended, the unit goes on.
    #[inline(never)]
    fn leave(mut self) {
        if let Some(inside) = self.inside.take() {
            drop(frame::pop(inside));
        }
    }

    /// The body returned: its value is looked at while the unit still runs.
    fn closing(&self) -> Closing {
        Closing::new(frame::records())
    }

    #[inline(never)]
    fn close(mut self, closing: Closing) {
        self.end(|| closing.ending);
    }

    fn end(&mut self, ending: impl FnOnce() -> Ending) {
        let Some(inside) = self.inside.take() else { return };
        // The context stays attached until the unit is over: its last log record carries its ids.
        let attached = frame::pop(inside);
        finish(std::mem::replace(inside, Inside::Inert), attached, ending);
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let otherwise = self.otherwise;
        self.end(otherwise);
    }
}

fn finish(inside: Inside, attached: Option<ContextGuard>, ending: impl FnOnce() -> Ending) {
    match inside {
        Inside::Recorded(context) => {
            let mut ending = ending();
            lifecycle::ended_recorded(&context, &mut ending);
            span::end(&context, ending);
        }
        Inside::Counted(mut unit, _context) => {
            let mut ending = ending();
            lifecycle::ended_counted(&mut unit, &mut ending);
            end::counted(&unit, ending);
        }
        // Never opened, or not recorded.
        Inside::Inert | Inside::Opening(_) => {}
    }
    drop(attached);
}
