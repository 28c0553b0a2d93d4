//! Timer of a timeout.
//!
//! `futures-timer`, because it works under any executor. tokio's timer panics in a runtime that was
//! built without one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Future that completes once, at a point in time.
pub(super) enum Delay {
    Timer {
        end: Instant,
        delay: futures_timer::Delay,
    },
    /// A test paused tokio's clock: its timer is the only one that follows.
    #[cfg(feature = "sdk")]
    PausedClock(Pin<Box<tokio::time::Sleep>>),
    /// The point in time is beyond the range of the clock.
    Never,
}

impl Delay {
    /// Completes `timeout` after `start`.
    pub(super) fn until(start: Instant, timeout: Duration) -> Self {
        let Some(end) = start.checked_add(timeout) else { return Self::Never };
        #[cfg(feature = "sdk")]
        if tokio_clock_is_paused() {
            return Self::PausedClock(Box::pin(tokio::time::sleep(timeout)));
        }
        let left = end.saturating_duration_since(Instant::now());
        Self::Timer { end, delay: futures_timer::Delay::new(left) }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // The timer's thread may be late: a timeout that has passed is not waited for.
            Self::Timer { end, .. } if Instant::now() >= *end => Poll::Ready(()),
            Self::Timer { delay, .. } => Pin::new(delay).poll(cx),
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
