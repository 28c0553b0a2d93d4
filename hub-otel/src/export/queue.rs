//! Where finished items wait for the export thread: bounded in items and in bytes, never waited for.
//!
//! When it is full the newest item is dropped and counted. The bytes of a batch that is on its way still count: a
//! Collector that does not answer must not make room.

use crate::config::signal::Signal;
use crate::export::accounting::{Ledger, reason};
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::atomic::{AtomicBool, AtomicUsize};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::borrow::Cow;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// What one signal may hold, in bytes.
pub(crate) const BYTES: usize = 32 * 1024 * 1024;

/// The queue of one signal.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    pub(crate) signal: Signal,
    pub(crate) ledger: Arc<Ledger>,
    state: Mutex<State<T>>,
    /// Wakes the export thread.
    pub(crate) wake: Notify,
    /// Rings whenever a batch is settled.
    pub(crate) settled: Notify,
    most_items: usize,
    batch: usize,
    owner: u32,
    /// Set in a child process: nobody will ever come for the items.
    inert: AtomicBool,
    /// Set from shutdown's deadline on: what is not delivered is given up.
    pub(crate) abandoned: AtomicBool,
    /// Drops since the last time that somebody was told.
    losing: AtomicUsize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    /// Of the items here and of those on their way.
    bytes: usize,
    on_their_way: usize,
    /// The sequence number of the next item.
    next: u64,
    /// The first sequence number of each batch that is on its way.
    batches: Vec<u64>,
    /// The export thread was woken and has not looked yet.
    woken: bool,
    closed: bool,
}

/// Items taken together, accounted for exactly once: by [`Batch::settle`], or as failed when it is dropped, which
/// happens when the exporter panics.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) items: Vec<T>,
    pub(crate) count: usize,
    bytes: usize,
    first: u64,
    queue: Arc<Queue<T>>,
    settled: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settlement {
    Accepted { rejected: u64 },
    Failed(Cow<'static, str>),
    Dropped(&'static str),
}

impl<T> Queue<T> {
    pub(crate) fn new(signal: Signal, most_items: usize, batch: usize) -> Arc<Self> {
        Arc::new(Self {
            signal,
            ledger: Arc::default(),
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                on_their_way: 0,
                next: 0,
                batches: Vec::new(),
                woken: false,
                closed: false,
            }),
            wake: Notify::new(),
            settled: Notify::new(),
            most_items,
            batch: batch.min(most_items),
            owner: std::process::id(),
            inert: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            losing: AtomicUsize::new(0),
        })
    }

    /// The state; `None` in a child process, where the lock may be held for ever by a thread that is not there.
    fn lock(&self) -> Option<MutexGuard<'_, State<T>>> {
        if self.inert.load(Relaxed) {
            return None;
        }
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if self.is_orphaned() => None,
            Err(TryLockError::WouldBlock) => {
                Some(self.state.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// Asks the system, which takes as long as all the rest of `push`: only where a child would otherwise go wrong.
    fn is_orphaned(&self) -> bool {
        let orphaned = std::process::id() != self.owner;
        if orphaned {
            self.inert.store(true, Relaxed);
        }
        orphaned
    }

    /// Takes in one finished item. Never waits.
    pub(crate) fn push(&self, item: T, bytes: usize) {
        let Some(mut state) = self.lock() else { return };
        if state.closed {
            drop(state);
            self.ledger.turned_away(reason::AFTER_SHUTDOWN);
            return;
        }
        if state.items.len() + state.on_their_way >= self.most_items || state.bytes + bytes > BYTES
        {
            drop(state);
            self.ledger.turned_away(reason::QUEUE_FULL);
            self.losing.fetch_add(1, Relaxed);
            return;
        }
        // Before the lock is let go: an item that is taken from the queue has ended.
        self.ledger.finished(1);
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        state.next += 1;
        let waiting = state.items.len();
        if !state.woken && (waiting == 1 || waiting >= self.batch) {
            state.woken = true;
            drop(state);
            if !self.is_orphaned() {
                self.wake.notify_one();
            }
        }
    }

    /// Up to one batch of items, oldest first. Afterwards the next push may wake the export thread again.
    pub(crate) fn take(self: &Arc<Self>, enough: bool) -> Option<Batch<T>> {
        let mut state = self.lock()?;
        state.woken = false;
        let waiting = state.items.len();
        if waiting == 0 || (!enough && waiting < self.batch) {
            return None;
        }
        let count = waiting.min(self.batch);
        let first = state.next - waiting as u64;
        let mut bytes = 0;
        let mut items = Vec::with_capacity(count);
        for (item, size) in state.items.drain(..count) {
            bytes += size;
            items.push(item);
        }
        // Memory that a burst took is given back.
        if state.items.is_empty() && state.items.capacity() > 2 * self.batch {
            state.items = VecDeque::new();
        }
        state.on_their_way += count;
        state.batches.push(first);
        Some(Batch { items, count, bytes, first, queue: Arc::clone(self), settled: false })
    }

    /// How many items wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().map_or(0, |state| state.items.len())
    }

    /// The sequence number that the next item will get.
    pub(crate) fn next(&self) -> u64 {
        self.lock().map_or(0, |state| state.next)
    }

    /// Whether everything before sequence number `next` is settled.
    pub(crate) fn is_settled_before(&self, next: u64) -> bool {
        self.lock().is_none_or(|state| {
            state.next - state.items.len() as u64 >= next
                && state.batches.iter().all(|first| *first >= next)
        })
    }

    /// From now on items are counted and dropped.
    pub(crate) fn close(&self) {
        if let Some(mut state) = self.lock() {
            state.closed = true;
        }
    }

    /// Gives up what still waits; what is on its way is given up by whoever carries it.
    pub(crate) fn abandon(self: &Arc<Self>, reason: &'static str) {
        while let Some(batch) = self.take(true) {
            batch.settle(Settlement::Dropped(reason));
        }
    }

    /// How many items were dropped since the last call, and whether there is room again.
    pub(crate) fn losses(&self) -> (usize, bool) {
        let lost = self.losing.swap(0, Relaxed);
        let room = self.lock().is_none_or(|state| {
            (state.items.len() + state.on_their_way) * 2 < self.most_items.max(2)
                && state.bytes < BYTES / 2
        });
        (lost, room)
    }
}

impl<T> Batch<T> {
    /// Writes down what became of it.
    pub(crate) fn settle(mut self, settlement: Settlement) {
        self.close(settlement);
    }

    fn close(&mut self, settlement: Settlement) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let ledger = &self.queue.ledger;
        match settlement {
            Settlement::Accepted { rejected } => {
                let rejected = usize::try_from(rejected).unwrap_or(usize::MAX).min(self.count);
                ledger.accepted(self.count - rejected, rejected);
            }
            Settlement::Failed(reason) => ledger.failed(reason, self.count),
            Settlement::Dropped(reason) => ledger.dropped(reason, self.count),
        }
        if let Some(mut state) = self.queue.lock() {
            state.bytes = state.bytes.saturating_sub(self.bytes);
            state.on_their_way = state.on_their_way.saturating_sub(self.count);
            if let Some(at) = state.batches.iter().position(|first| *first == self.first) {
                state.batches.swap_remove(at);
            }
        }
        self.queue.settled.notify_waiters();
    }
}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        if self.queue.abandoned.load(Relaxed) {
            self.close(Settlement::Dropped(reason::DEADLINE));
        } else {
            self.close(Settlement::Failed(Cow::Borrowed(reason::PANIC)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: usize, batch: usize) -> Arc<Queue<u32>> {
        Queue::new(Signal::Traces, items, batch)
    }

    #[test]
    fn the_newest_item_is_dropped_when_items_or_bytes_are_over() {
        let of_items = queue(2, 1);
        (0..3).for_each(|n| of_items.push(n, 1));
        assert_eq!(of_items.take(true).map(|batch| batch.items.clone()), Some(vec![0]));
        let of_bytes = queue(100, 1);
        (0..3).for_each(|n| of_bytes.push(n, BYTES / 2));
        let report = of_bytes.ledger.report();
        assert_eq!(
            (report.finished, report.pending, report.dropped.get("queue_full")),
            (3, 2, Some(&1))
        );
    }

    #[test]
    fn what_is_on_its_way_still_takes_room() {
        let queue = queue(2, 2);
        (0..2).for_each(|n| queue.push(n, 1));
        let batch = queue.take(true).expect("a batch");
        queue.push(2, 1);
        assert_eq!(queue.ledger.report().dropped_total(), 1);
        batch.settle(Settlement::Accepted { rejected: 5 });
        let report = queue.ledger.report();
        assert_eq!(
            (report.ok, report.rejected, report.pending),
            (0, 2, 0),
            "never more rejected than sent"
        );
        queue.push(3, 1);
        assert_eq!(queue.waiting(), 1);
    }

    #[test]
    fn a_batch_that_nobody_settles_is_written_down_as_failed() {
        let queue = queue(8, 8);
        (0..3).for_each(|n| queue.push(n, 1));
        drop(queue.take(true));
        let report = queue.ledger.report();
        assert_eq!((report.failed, report.failures.get("panic")), (3, Some(&3)));
        assert!(queue.is_settled_before(3));
    }

    #[test]
    fn a_flush_waits_for_an_older_batch_although_a_newer_one_is_through() {
        let queue = queue(8, 1);
        (0..2).for_each(|n| queue.push(n, 1));
        let (older, newer) = (queue.take(true).expect("older"), queue.take(true).expect("newer"));
        newer.settle(Settlement::Accepted { rejected: 0 });
        assert!(!queue.is_settled_before(2));
        older.settle(Settlement::Accepted { rejected: 0 });
        assert!(queue.is_settled_before(2));
    }

    #[test]
    fn a_forked_child_is_inert_even_where_the_lock_was_held() {
        // What the child sees: the same memory, another process id, and locks as they were.
        let mut queue = queue(8, 1);
        Arc::get_mut(&mut queue).expect("the only one").owner = 0;
        let held = queue.state.lock().expect("not poisoned");
        queue.push(1, 1);
        assert_eq!((queue.waiting(), queue.ledger.report().finished), (0, 0));
        drop(held);
        queue.push(2, 1);
        assert!(queue.take(true).is_none());
    }
}
