//! Wrapper around the stream of an annotated function, and around a future that returns a stream.

use crate::semconv::{attribute as a, kv};
use crate::status::UnitStatus;
use crate::unit::arguments::EvaluatedArgs;
use crate::unit::call;
use crate::unit::callsite::Callsite;
use crate::unit::ending::Ending;
use crate::unit::events::whole_milliseconds;
use crate::unit::instrumented::{
    call_prepared, drop_inside, end_of, opening, prepared_state, run_inside,
};
use crate::unit::outcome::Classification;
use crate::unit::stack;
use crate::unit::stack::UnitState;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pin_project! {
    /// A stream that runs as a unit of work: from its first poll to its end.
    ///
    /// Returned by [`Unit::run_stream`](crate::Unit::run_stream). The unit's context is attached on
    /// each poll. The items are passed on unchanged, and none is kept.
    ///
    /// | event | outcome |
    /// |---|---|
    /// | the stream returns `None` | SUCCESS |
    /// | an item is an `Err` | FAILED with this error; the first one decides, also if the stream continues |
    /// | the stream is dropped before its end | CANCELLED, unless an item was an `Err` |
    /// | the stream panics | FAILED, `panic` |
    /// | the stream is never polled | no unit |
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use futures_util::{StreamExt, stream};
    ///
    /// let lines = stream::iter([Ok("a"), Err(std::io::Error::other("reset")), Ok("b")]);
    /// let lines = hub_otel::agent("reader", "read").run_stream(lines);
    /// assert_eq!(lines.count().await, 3);
    /// # }
    /// ```
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct InstrumentedStream<S, C> {
        state: UnitState,
        progress: Progress,
        classify: C,
        #[pin]
        body: Option<S>,
    }

    impl<S, C> PinnedDrop for InstrumentedStream<S, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(entered) = drop_inside(this.state, || this.body.set(None)) {
                entered.finish(this.progress.end_dropped());
            }
        }
    }
}

impl<S, C> std::fmt::Debug for InstrumentedStream<S, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstrumentedStream").finish_non_exhaustive()
    }
}

/// Runs a stream as a unit whose arguments were evaluated at the call. `None` records nothing.
#[inline]
pub fn run_stream<S, C>(
    prepared: Option<EvaluatedArgs>,
    stream: S,
    classify: C,
) -> InstrumentedStream<S, C>
where
    S: Stream,
    C: Fn(&S::Item, &mut Classification),
{
    StreamUnit { state: prepared_state(prepared) }.stream(stream, classify)
}

/// Runs the stream in `result` as a unit. An `Err` is a unit of its own, which fails at once.
/// `wrap` wraps the stream.
#[inline]
pub fn try_stream<S, E, O>(
    prepared: Option<EvaluatedArgs>,
    result: Result<S, E>,
    classify: impl FnOnce(&Result<S, E>, &mut Classification),
    wrap: impl FnOnce(Result<S, E>, StreamUnit) -> O,
) -> O {
    if result.is_ok() {
        wrap(result, StreamUnit { state: prepared_state(prepared) })
    } else {
        wrap(call_prepared(prepared, || result, classify), StreamUnit::default())
    }
}

/// The unit that a stream continues, or starts.
#[derive(Default)]
pub struct StreamUnit {
    state: UnitState,
}

impl StreamUnit {
    /// Runs `stream` as this unit. `classify` maps each item to an outcome.
    #[inline]
    pub fn stream<T, S, C>(self, stream: S, classify: C) -> InstrumentedStream<S, C>
    where
        S: Stream<Item = T>,
        C: Fn(&T, &mut Classification),
    {
        let Self { state } = self;
        InstrumentedStream { state, progress: Progress::default(), classify, body: Some(stream) }
    }
}

impl<S, C> Stream for InstrumentedStream<S, C>
where
    S: Stream,
    C: Fn(&S::Item, &mut Classification),
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            unreachable!("the body is only removed in the destructor")
        };
        if matches!(this.state, UnitState::Inert) {
            return body.poll_next(cx);
        }
        let progress = this.progress;
        let describe = |ending| progress.describe(ending);
        let (poll, entered) = run_inside(this.state, || body.poll_next(cx), describe);
        match poll {
            Poll::Pending => entered.leave(),
            Poll::Ready(None) => entered.finish(progress.end()),
            Poll::Ready(Some(ref item)) => {
                progress.classify(item, &*this.classify);
                entered.leave();
                progress.count(this.state);
            }
        }
        poll
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<S, C> FusedStream for InstrumentedStream<S, C>
where
    S: FusedStream,
    C: Fn(&S::Item, &mut Classification),
{
    fn is_terminated(&self) -> bool {
        self.body.as_ref().is_none_or(FusedStream::is_terminated)
    }
}

/// Items so far.
#[derive(Default)]
struct Progress {
    items: i64,
    /// Time from the start of the unit to the first item.
    first_item: Option<Duration>,
    /// Outcome of the first item that was no success, or of an expected error.
    decided: Option<Box<Ending>>,
}

impl Progress {
    fn classify<T>(&mut self, item: &T, classify: impl FnOnce(&T, &mut Classification)) {
        if self.has_failed() {
            return;
        }
        let ending = end_of(item, classify);
        if ending.status != UnitStatus::Success || ending.expected {
            self.decided = Some(Box::new(ending));
        }
    }

    fn has_failed(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.status != UnitStatus::Success)
    }

    /// Counts an item of the unit in `state`.
    fn count(&mut self, state: &UnitState) {
        self.items = self.items.saturating_add(1);
        if self.items == 1
            && let UnitState::Active(unit, _) = state
        {
            let time = unit.started.elapsed();
            self.first_item = Some(time);
            // An error is no chunk of the response.
            call::note_stream(unit, Some(time).filter(|_| !self.has_failed()));
        }
    }

    /// Returns the outcome of a stream that has ended.
    fn end(&mut self) -> Ending {
        let decided = self.decided.take().map(|decided| *decided);
        self.describe(decided.unwrap_or_else(|| Ending::new(UnitStatus::Success)))
    }

    /// Returns the outcome of a stream that was dropped before its end.
    fn end_dropped(&mut self) -> Ending {
        if self.has_failed() { self.end() } else { self.describe(Ending::cancelled()) }
    }

    /// Adds the attributes of the stream. The unit is the innermost one.
    fn describe(&self, mut ending: Ending) -> Ending {
        if self.items == 0
            && let Some(unit) = stack::current_unit()
        {
            call::note_stream(&unit, None);
        }
        if stack::is_sampled() {
            ending.attributes.push(kv(a::STREAM_ITEMS, self.items));
            if let Some(time) = self.first_item {
                let time = kv(a::STREAM_FIRST_ITEM_MS, whole_milliseconds(time));
                ending.attributes.push(time);
            }
        }
        ending
    }
}

pin_project! {
    /// A future that returns a stream. Its unit ends with the stream, or with the error in place
    /// of it.
    #[must_use = "a unit of work does nothing unless it is awaited or polled"]
    pub struct Streaming<F, C, W> {
        state: UnitState,
        classify: C,
        wrap: W,
        #[pin]
        body: Option<F>,
    }

    impl<F, C, W> PinnedDrop for Streaming<F, C, W> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(entered) = drop_inside(this.state, || this.body.set(None)) {
                entered.finish(Ending::cancelled());
            }
        }
    }
}

/// Runs the block of an async function that returns a stream as a unit. `classify` maps its value
/// to an outcome, `wrap` wraps the stream in it.
#[inline]
pub fn run_streaming<F, C, W, O>(
    callsite: &'static Callsite,
    body: F,
    classify: C,
    wrap: W,
) -> Streaming<F, C, W>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
    W: Fn(F::Output, StreamUnit) -> O,
{
    Streaming { state: opening(callsite), classify, wrap, body: Some(body) }
}

/// Runs a future that returns a stream, and whose arguments were evaluated at the call.
#[inline]
pub fn run_prepared_streaming<F, C, W, O>(
    prepared: Option<EvaluatedArgs>,
    body: F,
    classify: C,
    wrap: W,
) -> Streaming<F, C, W>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
    W: Fn(F::Output, StreamUnit) -> O,
{
    Streaming { state: prepared_state(prepared), classify, wrap, body: Some(body) }
}

impl<F, C, W, O> Future for Streaming<F, C, W>
where
    F: Future,
    C: Fn(&F::Output, &mut Classification),
    W: Fn(F::Output, StreamUnit) -> O,
{
    type Output = O;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            unreachable!("the body is only removed in the destructor")
        };
        if matches!(this.state, UnitState::Inert) {
            return body.poll(cx).map(|value| (this.wrap)(value, StreamUnit::default()));
        }
        let (poll, entered) = run_inside(this.state, || body.poll(cx), |ending| ending);
        let Poll::Ready(value) = poll else {
            entered.leave();
            return Poll::Pending;
        };
        let ending = end_of(&value, &*this.classify);
        if ending.status == UnitStatus::Success {
            entered.leave();
        } else {
            entered.finish(ending);
        }
        let unit = StreamUnit { state: std::mem::take(this.state) };
        Poll::Ready((this.wrap)(value, unit))
    }
}
