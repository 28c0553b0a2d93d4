//! Facts that are recorded while a unit ends, as `Current` and `unit::finish` record them.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::unit::sealable::Sealable;
use crate::{every_order, many_orders, thread, together};

/// A unit with its retries, and a counter that is incremented after the lock is released.
struct Unit {
    retries: Sealable<u64>,
    counter: AtomicU64,
    /// Retries at the end.
    ended_with: AtomicU64,
}

impl Unit {
    fn new() -> Arc<Self> {
        let (counter, ended_with) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Self { retries: Sealable::new(0), counter, ended_with })
    }

    /// Counts a retry. Returns false after the end.
    fn retry(&self) -> bool {
        let Some(mut retries) = self.retries.change() else { return false };
        **retries += 1;
        drop(retries);
        self.counter.fetch_add(1, SeqCst);
        true
    }

    fn end(&self) {
        let Some(retries) = self.retries.seal() else { return };
        assert_eq!(self.ended_with.swap(**retries, SeqCst), u64::MAX, "ended twice");
    }
}

/// Counts `each` retries on `recorders` threads while the unit ends.
///
/// The span, the counter and the unit have the same value, which does not change after the end.
fn race(recorders: usize, each: usize) {
    let unit = Unit::new();
    let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let recorder = |_| {
        let (unit, counted) = (Arc::clone(&unit), Arc::clone(&counted));
        thread(move || {
            let mut late = false;
            for _ in 0..each {
                let now = unit.retry();
                assert!(!(late && now), "a retry was counted after the end");
                late = !now;
                counted.fetch_add(u64::from(now), SeqCst);
            }
        })
    };
    let mut threads: Vec<_> = (0..recorders).map(recorder).collect();
    let ending = Arc::clone(&unit);
    threads.push(thread(move || ending.end()));
    together(threads);
    assert!(!unit.retry(), "too late");
    let ended_with = unit.ended_with.load(SeqCst);
    assert_eq!(ended_with, unit.counter.load(SeqCst), "the span and the counter agree");
    assert_eq!(ended_with, counted.load(SeqCst));
    assert_eq!(ended_with, **unit.retries.read());
}

/// Ends one unit on two threads, as its task and the shutdown do: one of them ends it.
pub fn two_ends() {
    every_order(|| {
        let unit = Unit::new();
        let end = |_| {
            let unit = Arc::clone(&unit);
            thread(move || unit.end())
        };
        together((0..2).map(end).collect());
        assert!(unit.retries.seal().is_none());
        assert_eq!(unit.ended_with.load(SeqCst), 0);
    });
}

/// Counts two retries while the unit ends, in every order.
pub fn two_retries() {
    every_order(|| race(1, 2));
}

/// Counts a dozen retries while the unit ends.
pub fn twelve_retries() {
    many_orders(|| race(4, 3));
}
