//! When a deadline passes: a thread that is started when it is first needed wakes the task.
//!
//! Not tokio's timer: it is there only where the runtime was built with one, which cannot be asked, and panics where it
//! is not. The one thing that only tokio's can do is to follow a paused clock, so a test that has paused it gets that one.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

/// Wakes its task once, at a deadline.
pub(crate) enum Alarm {
    Thread(Box<Armed>),
    Tokio(Pin<Box<tokio::time::Sleep>>),
    /// Further away than the clock reaches.
    Never,
}

/// An alarm of the timer thread, and whom it wakes.
pub(crate) struct Armed {
    ticket: Ticket,
    /// What the thread knows: a task that is polled often says the same waker again and again.
    waker: Option<Waker>,
}

impl Alarm {
    pub(crate) fn new(started: Instant, timeout: Duration) -> Self {
        let Some(deadline) = started.checked_add(timeout) else { return Self::Never };
        if is_paused() {
            return Self::Tokio(Box::pin(tokio::time::sleep(timeout)));
        }
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let ticket = Ticket(deadline, NEXT.fetch_add(1, Ordering::Relaxed));
        Self::Thread(Box::new(Armed { ticket, waker: None }))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tokio(sleep) => sleep.as_mut().poll(cx),
            Self::Thread(armed) if Instant::now() >= armed.ticket.0 => Poll::Ready(()),
            Self::Thread(armed) => {
                armed.set(cx.waker());
                Poll::Pending
            }
            Self::Never => Poll::Pending,
        }
    }
}

impl Armed {
    fn set(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            clock().set(self.ticket, waker.clone());
            self.waker = Some(waker.clone());
        }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        if self.waker.is_some() {
            clock().forget(&self.ticket);
        }
    }
}

/// Whether tokio's clock stands still, as `tokio::time::pause` makes it. It is the real one outside of tests.
fn is_paused() -> bool {
    let before = tokio::time::Instant::now();
    let began = Instant::now();
    while Instant::now() == began {
        std::hint::spin_loop();
    }
    tokio::time::Instant::now() == before
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
            tracing::error!(target: crate::semconv::SCOPE, %error, "no thread for deadlines: they will not fire");
        }
    });
    clock
}

impl Clock {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<Ticket, Waker>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // A waker may hold the last handle of a task, and that task a deadline: wakers are dropped where nothing is locked.

    fn set(&self, ticket: Ticket, waker: Waker) {
        let mut entries = self.entries();
        // Anything later is seen when the thread wakes for what comes before it.
        let is_next = entries.first_key_value().is_none_or(|(first, _)| ticket < *first);
        let replaced = entries.insert(ticket, waker);
        drop(entries);
        if is_next {
            self.changed.notify_one();
        }
        drop(replaced);
    }

    fn forget(&self, ticket: &Ticket) {
        let forgotten = self.entries().remove(ticket);
        drop(forgotten);
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
                entries = self
                    .changed
                    .wait_timeout(entries, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            } else if let Some((_, waker)) = entries.pop_first() {
                drop(entries);
                waker.wake();
                entries = self.entries();
            }
        }
    }
}
