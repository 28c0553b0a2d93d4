//! When a deadline passes: tokio's timer inside a tokio runtime, a thread that is started when it is first needed
//! elsewhere.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Wakes its task once, at a deadline.
pub(crate) enum Alarm {
    Tokio(Pin<Box<tokio::time::Sleep>>),
    Thread(Ticket),
    /// Further away than the clock reaches.
    Never,
}

impl Alarm {
    pub(crate) fn new(started: Instant, timeout: Duration) -> Self {
        let Some(deadline) = started.checked_add(timeout) else { return Self::Never };
        if tokio::runtime::Handle::try_current().is_ok() {
            Self::Tokio(Box::pin(tokio::time::sleep(timeout)))
        } else {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            Self::Thread(Ticket(deadline, NEXT.fetch_add(1, Ordering::Relaxed)))
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tokio(sleep) => sleep.as_mut().poll(cx),
            Self::Thread(ticket) if Instant::now() >= ticket.0 => Poll::Ready(()),
            Self::Thread(ticket) => {
                clock().set(*ticket, cx.waker());
                Poll::Pending
            }
            Self::Never => Poll::Pending,
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Self::Thread(ticket) = self {
            clock().entries().remove(ticket);
        }
    }
}

/// A deadline of the timer thread; the number tells equal ones apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Instant, u64);

#[derive(Default)]
struct Clock {
    entries: Mutex<BTreeMap<Ticket, Waker>>,
    changed: Condvar,
}

fn clock() -> &'static Clock {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    static STARTED: OnceLock<()> = OnceLock::new();
    let clock = CLOCK.get_or_init(Clock::default);
    STARTED.get_or_init(|| {
        let thread = std::thread::Builder::new().name("hub-otel-timer".to_owned());
        if let Err(error) = thread.spawn(|| clock.run()) {
            tracing::error!(target: crate::contract::SCOPE, %error, "no thread for deadlines: they will not fire");
        }
    });
    clock
}

impl Clock {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<Ticket, Waker>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, ticket: Ticket, waker: &Waker) {
        let mut entries = self.entries();
        match entries.get_mut(&ticket) {
            Some(known) => known.clone_from(waker),
            None => {
                entries.insert(ticket, waker.clone());
                self.changed.notify_one();
            }
        }
    }

    fn run(&self) {
        let mut entries = self.entries();
        loop {
            let Some((next, _)) = entries.first_key_value() else {
                entries = self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = next.0.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                entries = self.changed.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0;
            } else if let Some((_, waker)) = entries.pop_first() {
                drop(entries);
                waker.wake();
                entries = self.entries();
            }
        }
    }
}
