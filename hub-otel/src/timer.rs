//! A timer under any executor: one thread per process, started at first use.
//!
//! tokio's timer panics in a runtime that was built without one. `futures-timer` panics after a
//! failed start of its thread, and never completes in a forked child.

use crate::per_process::PerProcess;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

static TIMER: PerProcess<Timer> = PerProcess::new();

/// A future that completes at a point in time.
#[derive(Debug)]
pub(crate) struct Delay {
    end: Instant,
    id: u64,
    is_registered: bool,
}

impl Delay {
    /// Completes at `end`.
    pub(crate) fn until(end: Instant) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { end, id: NEXT.fetch_add(1, Ordering::Relaxed), is_registered: false }
    }

    /// Completes after `time`.
    #[cfg(feature = "sdk")]
    pub(crate) fn after(time: Duration) -> Self {
        Self::until(Instant::now() + time)
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The thread may be late: a point in time that has passed is not waited for.
        if Instant::now() >= self.end {
            return Poll::Ready(());
        }
        self.is_registered = true;
        if !TIMER.get().register((self.end, self.id), cx.waker()) {
            // No thread can be started. The next poll tries again; until then the executor polls.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        if self.is_registered {
            let timer = TIMER.get();
            let waker = timer.lock().wakers.remove(&(self.end, self.id));
            // Without the lock: the waker may own a task with another delay.
            drop(waker);
        }
    }
}

#[derive(Default)]
struct Timer {
    state: Mutex<TimerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TimerState {
    /// Tasks by the end and the id of their delays.
    wakers: BTreeMap<(Instant, u64), Waker>,
    is_running: bool,
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, TimerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a task, or replaces the one of the same delay. Returns whether the thread runs.
    fn register(&'static self, key: (Instant, u64), waker: &Waker) -> bool {
        // Wakers are cloned and dropped without the lock: they are code of the executor.
        let waker = waker.clone();
        let mut state = self.lock();
        if !state.is_running {
            let thread = thread::Builder::new().name("hub-otel-timer".to_owned());
            state.is_running = thread.spawn(|| self.run()).is_ok();
        }
        let replaced = state.wakers.insert(key, waker);
        if state.wakers.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.changed.notify_one();
        }
        let is_running = state.is_running;
        drop(state);
        drop(replaced);
        is_running
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let mut due = Vec::new();
            while let Some(first) = state.wakers.first_entry()
                && first.key().0 <= now
            {
                due.push(first.remove());
            }
            if !due.is_empty() {
                drop(state);
                for waker in due {
                    // A waker is code of the executor: a panic must not end the thread.
                    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
                }
                state = self.lock();
                continue;
            }
            let next = state.wakers.first_key_value().map(|((end, _), _)| *end - now);
            let wait = next.unwrap_or(Duration::from_secs(3600));
            state =
                self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn block_on(delay: Delay) {
        let waker = Arc::new(Unpark(thread::current())).into();
        let mut delay = Box::pin(delay);
        while delay.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            thread::park();
        }
    }

    #[test]
    fn delays_complete_in_their_order_and_not_early() {
        let began = Instant::now();
        let ends = [30, 10, 20].map(|time| began + Duration::from_millis(time));
        let threads = ends.map(|end| {
            thread::spawn(move || {
                block_on(Delay::until(end));
                assert!(Instant::now() >= end);
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_dropped_delay_leaves_nothing() {
        let end = Instant::now() + Duration::from_secs(3600);
        let mut delay = Box::pin(Delay::until(end));
        let id = delay.id;
        let mut cx = Context::from_waker(Waker::noop());
        assert!(delay.as_mut().poll(&mut cx).is_pending());
        assert!(delay.as_mut().poll(&mut cx).is_pending());
        let registered = || TIMER.get().lock().wakers.contains_key(&(end, id));
        assert!(registered());
        drop(delay);
        assert!(!registered());
    }
}
