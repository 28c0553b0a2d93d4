//! Facts that are told while a unit ends, as `Current` and `unit::finish` tell them.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::unit::sealable::Sealable;
use crate::{every_order, many_orders, thread, together};

/// A unit with its retries, and the counter that is told of them after the lock is let go.
struct Unit {
    retries: Sealable<u64>,
    counter: AtomicU64,
    /// What the end saw.
    ended_with: AtomicU64,
}

impl Unit {
    fn new() -> Arc<Self> {
        let (counter, ended_with) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Self { retries: Sealable::new(0), counter, ended_with })
    }

    /// Whether it counted.
    fn retry(&self) -> bool {
        let Some(mut retries) = self.retries.change() else { return false };
        **retries += 1;
        drop(retries);
        self.counter.fetch_add(1, SeqCst);
        true
    }

    fn end(&self) {
        let retries = **self.retries.seal();
        self.ended_with.store(retries, SeqCst);
    }
}

/// `tellers` threads tell of `each` retries while the unit ends. What the end saw, what the counter
/// says and what stands in the unit afterwards are the same, and nothing that comes now changes
/// them.
fn race(tellers: usize, each: usize) {
    let unit = Unit::new();
    let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let teller = |_| {
        let (unit, counted) = (Arc::clone(&unit), Arc::clone(&counted));
        thread(move || {
            let mut late = false;
            for _ in 0..each {
                let now = unit.retry();
                assert!(!(late && now), "the end comes once");
                late = !now;
                counted.fetch_add(u64::from(now), SeqCst);
            }
        })
    };
    let mut threads: Vec<_> = (0..tellers).map(teller).collect();
    let ending = Arc::clone(&unit);
    threads.push(thread(move || ending.end()));
    together(threads);
    assert!(!unit.retry(), "too late");
    let ended_with = unit.ended_with.load(SeqCst);
    assert_eq!(ended_with, unit.counter.load(SeqCst), "the span and the counter agree");
    assert_eq!(ended_with, counted.load(SeqCst));
    assert_eq!(ended_with, **unit.retries.read());
}

/// Two retries and the end, in every order.
pub fn told() {
    every_order(|| race(1, 2));
}

/// A dozen retries and the end.
pub fn told_by_many() {
    many_orders(|| race(4, 3));
}
