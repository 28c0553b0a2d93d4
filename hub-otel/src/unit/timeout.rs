//! The deadline of `timeout = …`: inside the unit, so that it ends TIMED_OUT and not CANCELLED.
//!
//! The deadline is part of the program, not of its telemetry: it holds when nothing records, and when the feature
//! `enabled` is off.

use crate::error_type::TimedOut;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

thread_local! {
    /// What the body of the innermost future that is polled for the first time has asked for.
    static ASKED: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// The output of a future that can run out of time.
#[diagnostic::on_unimplemented(
    message = "`timeout` needs a function that returns `Result<_, E>` with `E: From<hub_otel::TimedOut>`",
    label = "this output cannot say that the deadline passed",
    note = "implement `From<hub_otel::TimedOut>` for the error type"
)]
pub trait TimeLimited {
    /// The value of a call whose deadline passed.
    fn timed_out() -> Self;
}

impl<T, E: From<TimedOut>> TimeLimited for Result<T, E> {
    fn timed_out() -> Self {
        Err(TimedOut.into())
    }
}

/// Sets the deadline of the body that calls it, as its first act.
pub fn deadline(timeout: Duration) {
    let _ = ASKED.try_with(|asked| asked.set(Some(timeout)));
}

pin_project! {
    /// A body with a deadline. Made by [`within`].
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct Within<F: Future> {
        #[pin]
        body: Option<F>,
        timer: Timer,
        // Not a bound of the future: where the output cannot say it, the one error is that of `within`.
        timed_out: fn() -> F::Output,
    }
}

enum Timer {
    /// Not polled yet.
    Unset,
    /// The body asked for none.
    Never,
    Set(crate::unit::delay::Alarm),
}

/// A body that may call [`deadline`] first.
#[inline]
pub fn within<F: Future<Output: TimeLimited>>(body: F) -> Within<F> {
    Within { body: Some(body), timer: Timer::Unset, timed_out: F::Output::timed_out }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            unreachable!("polled again after the deadline had passed")
        };
        let polled = match this.timer {
            Timer::Unset => {
                let started = Instant::now();
                let asked = Asked::begin();
                let polled = body.poll(cx);
                *this.timer = match asked.end() {
                    Some(timeout) => Timer::Set(crate::unit::delay::Alarm::new(started, timeout)),
                    None => Timer::Never,
                };
                polled
            }
            Timer::Never | Timer::Set(_) => body.poll(cx),
        };
        let passed = match this.timer {
            Timer::Set(alarm) if polled.is_pending() => alarm.poll(cx).is_ready(),
            _ => false,
        };
        if !passed {
            return polled;
        }
        crate::unit::current::time_out();
        // The body's own drops still belong to the unit, whose context is attached now.
        this.body.set(None);
        Poll::Ready((this.timed_out)())
    }
}

/// Keeps what an outer body has asked for while an inner one is polled for the first time.
struct Asked(Option<Duration>);

impl Asked {
    fn begin() -> Self {
        Self(ASKED.try_with(Cell::take).unwrap_or(None))
    }

    fn end(self) -> Option<Duration> {
        ASKED.try_with(|asked| asked.replace(self.0)).unwrap_or(None)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // A panic in the body: nothing of it stays behind.
        let _ = ASKED.try_with(|asked| asked.set(self.0));
    }
}
