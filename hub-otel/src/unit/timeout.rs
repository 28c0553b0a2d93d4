//! Timeout of `timeout = …`.
//!
//! It is inside the unit, which ends TIMED_OUT and not CANCELLED. It is part of the program, not
//! of its telemetry: it also applies if nothing is recorded, and without the feature `enabled`.

use crate::error_type::TimedOut;
use crate::timer;
use crate::unit::current::current;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Output of a future, or item of a stream, with a timeout.
#[diagnostic::on_unimplemented(
    message = "`timeout` needs a function that returns `Result<_, E>` with `E: From<hub_otel::TimedOut>`",
    label = "this output cannot represent a timeout",
    note = "implement `From<hub_otel::TimedOut>` for the error type; a stream needs items of this type"
)]
pub trait TimeLimited {
    /// Returns the output of a future that timed out, or the last item of a stream that did.
    fn timed_out() -> Self;
}

impl<T, E: From<TimedOut>> TimeLimited for Result<T, E> {
    fn timed_out() -> Self {
        Err(TimedOut.into())
    }
}

pin_project! {
    /// A future with a timeout, which starts on the first poll.
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct Timeout<F: Future> {
        #[pin]
        body: Option<F>,
        timeout: Duration,
        delay: Option<TimeoutDelay>,
        // Not a bound of the type: with it the compiler would report an output that does not fit
        // several times, not only at `timeout = …`.
        timed_out: fn() -> F::Output,
    }
}

/// Limits `body` to `timeout`.
#[inline]
pub fn limit<F: Future<Output: TimeLimited>>(timeout: Duration, body: F) -> Timeout<F> {
    Timeout { body: Some(body), timeout, delay: None, timed_out: F::Output::timed_out }
}

impl<F: Future> Future for Timeout<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            unreachable!("polled after completion")
        };
        let polled_at = Instant::now();
        if let Poll::Ready(output) = body.poll(cx) {
            return Poll::Ready(output);
        }
        let delay = this.delay.get_or_insert_with(|| TimeoutDelay::until(polled_at, *this.timeout));
        if delay.poll(cx).is_pending() {
            return Poll::Pending;
        }
        current().set_timed_out();
        // The body's destructors run inside the unit, whose context is attached now.
        this.body.set(None);
        Poll::Ready((this.timed_out)())
    }
}

pin_project! {
    /// A stream with a timeout, which starts on the first poll.
    #[must_use = "streams do nothing unless they are polled"]
    pub struct TimeoutStream<S: Stream> {
        #[pin]
        body: Option<S>,
        timeout: Duration,
        delay: Option<TimeoutDelay>,
        timed_out: fn() -> S::Item,
    }
}

/// Limits `body` to `timeout`, from its first poll to its end.
#[inline]
pub fn limit_stream<S: Stream<Item: TimeLimited>>(timeout: Duration, body: S) -> TimeoutStream<S> {
    TimeoutStream { body: Some(body), timeout, delay: None, timed_out: S::Item::timed_out }
}

impl<S: Stream> Stream for TimeoutStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        // It timed out before: the error was the last item.
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let is_first = this.delay.is_none();
        let delay =
            this.delay.get_or_insert_with(|| TimeoutDelay::until(Instant::now(), *this.timeout));
        // A stream that is always ready times out as well.
        if is_first || delay.poll(cx).is_pending() {
            let polled = body.poll_next(cx);
            if matches!(polled, Poll::Ready(None)) {
                *delay = TimeoutDelay::Never;
            }
            if polled.is_ready() || delay.poll(cx).is_pending() {
                return polled;
            }
        }
        current().set_timed_out();
        // The body's destructors run inside the unit, whose context is attached now.
        this.body.set(None);
        Poll::Ready(Some((this.timed_out)()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let upper = self.body.as_ref().map_or(Some(0), |body| body.size_hint().1?.checked_add(1));
        (0, upper)
    }
}

/// Future that completes once, at a point in time.
///
/// Not tokio's timer, which panics in a runtime that was built without one.
enum TimeoutDelay {
    Timer(timer::Delay),
    /// A test paused tokio's clock: its timer is the only one that follows.
    #[cfg(feature = "sdk")]
    PausedClock(Pin<Box<tokio::time::Sleep>>),
    /// The point in time is beyond the range of the clock.
    Never,
}

impl TimeoutDelay {
    /// Completes `timeout` after `start`.
    fn until(start: Instant, timeout: Duration) -> Self {
        let Some(end) = start.checked_add(timeout) else { return Self::Never };
        #[cfg(feature = "sdk")]
        if tokio_clock_is_paused() {
            return Self::PausedClock(Box::pin(tokio::time::sleep(timeout)));
        }
        Self::Timer(timer::Delay::until(end))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Timer(delay) => Pin::new(delay).poll(cx),
            #[cfg(feature = "sdk")]
            Self::PausedClock(sleep) => sleep.as_mut().poll(cx),
            Self::Never => Poll::Pending,
        }
    }
}

/// Returns whether `tokio::time::pause` stopped tokio's clock. Otherwise it equals the real clock.
#[cfg(feature = "sdk")]
fn tokio_clock_is_paused() -> bool {
    let before = Instant::now();
    let tokio = tokio::time::Instant::now().into_std();
    tokio < before || tokio > Instant::now()
}
