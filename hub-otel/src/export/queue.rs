//! The queue of finished items between the application's threads and the export thread.
//!
//! Bounded in items and in bytes. [`Queue::push`] never blocks: if the queue is full, the new item
//! is dropped and counted. Items and bytes of batches in flight count against the limits, so that
//! an unresponsive Collector does not free space.

use crate::config::signal::Signal;
use crate::export::accounting::Accounting;
use crate::semconv::{drop_reason, failure_reason};
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::atomic::{AtomicBool, AtomicUsize};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::borrow::Cow;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// The byte limit of one queue.
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The queue of one signal.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    pub(crate) signal: Signal,
    pub(crate) accounting: Arc<Accounting>,
    state: Mutex<QueueState<T>>,
    /// Wakes the export loop.
    pub(crate) wake: Notify,
    /// Notified after each completed batch.
    pub(crate) completed: Notify,
    max_items: usize,
    batch_size: usize,
    owner_pid: u32,
    /// Set in a forked child: it has no export thread.
    is_inert: AtomicBool,
    /// Set after the shutdown deadline: a batch in flight counts as dropped.
    pub(crate) is_abandoned: AtomicBool,
    /// Items dropped since the last call of [`take_dropped`](Self::take_dropped).
    dropped_since_report: AtomicUsize,
}

#[derive(Debug)]
struct QueueState<T> {
    /// Waiting items with their size in bytes.
    items: VecDeque<(T, usize)>,
    /// Bytes of waiting items and of items in flight.
    bytes: usize,
    /// Number of items in flight.
    in_flight: usize,
    /// Sequence number of the next item.
    next: u64,
    /// First sequence number of each batch in flight.
    batches: Vec<u64>,
    /// Set between a wake-up of the export loop and its next [`Queue::take`], which limits the
    /// wake-ups to one per batch.
    is_woken: bool,
    is_closed: bool,
}

/// Items taken together. Accounted for exactly once: by [`Batch::complete`], or by `drop`, which
/// counts them as failed (the exporter panicked) or as dropped (the shutdown deadline passed).
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) items: Vec<T>,
    pub(crate) count: usize,
    bytes: usize,
    first: u64,
    queue: Arc<Queue<T>>,
    is_completed: bool,
}

/// The final result of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExportOutcome {
    /// Accepted by the Collector, except for `rejected` items.
    Accepted { rejected: u64 },
    /// Sent without success, for the given reason.
    Failed(Cow<'static, str>),
    /// Dropped for the given reason.
    Dropped(&'static str),
}

impl<T> Queue<T> {
    pub(crate) fn new(signal: Signal, max_items: usize, batch_size: usize) -> Arc<Self> {
        Arc::new(Self {
            signal,
            accounting: Arc::default(),
            state: Mutex::new(QueueState {
                items: VecDeque::new(),
                bytes: 0,
                in_flight: 0,
                next: 0,
                batches: Vec::new(),
                is_woken: false,
                is_closed: false,
            }),
            wake: Notify::new(),
            completed: Notify::new(),
            max_items,
            batch_size: batch_size.min(max_items),
            owner_pid: std::process::id(),
            is_inert: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            dropped_since_report: AtomicUsize::new(0),
        })
    }

    /// Locks the state. Returns `None` in a forked child, where the lock may be held by a thread
    /// that exists only in the parent.
    fn lock(&self) -> Option<MutexGuard<'_, QueueState<T>>> {
        if self.is_inert.load(Relaxed) {
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

    /// Returns whether this process is a forked child. `getpid` costs as much as the rest of
    /// `push`: called only where a child would block or signal a missing thread.
    fn is_orphaned(&self) -> bool {
        let is_orphaned = std::process::id() != self.owner_pid;
        if is_orphaned {
            self.is_inert.store(true, Relaxed);
        }
        is_orphaned
    }

    /// Adds a finished item, or drops it and counts the drop. Never blocks on the export thread.
    pub(crate) fn push(&self, item: T, bytes: usize) {
        let Some(mut state) = self.lock() else { return };
        if state.is_closed {
            drop(state);
            self.accounting.drop_on_arrival(drop_reason::AFTER_SHUTDOWN);
            return;
        }
        if state.items.len() + state.in_flight >= self.max_items || state.bytes + bytes > MAX_BYTES
        {
            drop(state);
            self.accounting.drop_on_arrival(drop_reason::QUEUE_FULL);
            self.dropped_since_report.fetch_add(1, Relaxed);
            return;
        }
        // Counted under the lock: otherwise the export thread could complete an item before it is
        // counted as finished.
        self.accounting.finished(1);
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        state.next += 1;
        let waiting = state.items.len();
        if !state.is_woken && (waiting == 1 || waiting >= self.batch_size) {
            state.is_woken = true;
            drop(state);
            if !self.is_orphaned() {
                self.wake.notify_one();
            }
        }
    }

    /// Takes the oldest items, at most one batch. Returns `None` if the queue is empty, or holds
    /// less than a full batch and `allow_partial` is false.
    pub(crate) fn take(self: &Arc<Self>, allow_partial: bool) -> Option<Batch<T>> {
        let mut state = self.lock()?;
        state.is_woken = false;
        let waiting = state.items.len();
        if waiting == 0 || (!allow_partial && waiting < self.batch_size) {
            return None;
        }
        let count = waiting.min(self.batch_size);
        let first = state.next - waiting as u64;
        let mut bytes = 0;
        let mut items = Vec::with_capacity(count);
        for (item, size) in state.items.drain(..count) {
            bytes += size;
            items.push(item);
        }
        // Frees the memory of a burst, and keeps what the next batches need.
        if state.items.is_empty() {
            state.items.shrink_to(2 * self.batch_size);
        }
        state.in_flight += count;
        state.batches.push(first);
        Some(Batch { items, count, bytes, first, queue: Arc::clone(self), is_completed: false })
    }

    /// Returns the number of waiting items.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().map_or(0, |state| state.items.len())
    }

    /// Returns the sequence number of the next item.
    pub(crate) fn next(&self) -> u64 {
        self.lock().map_or(0, |state| state.next)
    }

    /// Returns whether all items before sequence number `next` have a final result.
    pub(crate) fn is_complete_before(&self, next: u64) -> bool {
        self.lock().is_none_or(|state| {
            state.next - state.items.len() as u64 >= next
                && state.batches.iter().all(|first| *first >= next)
        })
    }

    /// Closes the queue: later items are dropped and counted.
    pub(crate) fn close(&self) {
        if let Some(mut state) = self.lock() {
            state.is_closed = true;
        }
    }

    /// Drops all waiting items. Batches in flight are completed by their owner.
    pub(crate) fn drop_waiting(self: &Arc<Self>, reason: &'static str) {
        while let Some(batch) = self.take(true) {
            batch.complete(ExportOutcome::Dropped(reason));
        }
    }

    /// Returns the number of items dropped since the last call, and whether the queue is less than
    /// half full.
    pub(crate) fn take_dropped(&self) -> (usize, bool) {
        let dropped = self.dropped_since_report.swap(0, Relaxed);
        let has_room = self.lock().is_none_or(|state| {
            (state.items.len() + state.in_flight) * 2 < self.max_items.max(2)
                && state.bytes < MAX_BYTES / 2
        });
        (dropped, has_room)
    }
}

impl<T> Batch<T> {
    /// Records the final result.
    pub(crate) fn complete(mut self, outcome: ExportOutcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: ExportOutcome) {
        if std::mem::replace(&mut self.is_completed, true) {
            return;
        }
        let accounting = &self.queue.accounting;
        match outcome {
            ExportOutcome::Accepted { rejected } => {
                let rejected = usize::try_from(rejected).unwrap_or(usize::MAX).min(self.count);
                accounting.accepted(self.count - rejected, rejected);
            }
            ExportOutcome::Failed(reason) => accounting.failed(reason, self.count),
            ExportOutcome::Dropped(reason) => accounting.dropped(reason, self.count),
        }
        if let Some(mut state) = self.queue.lock() {
            state.bytes = state.bytes.saturating_sub(self.bytes);
            state.in_flight = state.in_flight.saturating_sub(self.count);
            if let Some(index) = state.batches.iter().position(|first| *first == self.first) {
                state.batches.swap_remove(index);
            }
        }
        self.queue.completed.notify_waiters();
    }
}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        if self.queue.is_abandoned.load(Relaxed) {
            self.record(ExportOutcome::Dropped(drop_reason::SHUTDOWN_DEADLINE));
        } else {
            self.record(ExportOutcome::Failed(Cow::Borrowed(failure_reason::PANIC)));
        }
    }
}

/// A queue and the flush request of its export loop.
#[derive(Debug)]
pub(crate) struct SignalQueue<T> {
    pub(crate) queue: Arc<Queue<T>>,
    /// Requests the export of all waiting items, full batch or not.
    pub(crate) flush_request: Arc<Notify>,
}

impl<T> SignalQueue<T> {
    /// Waits until all items queued before the call have a final result.
    pub(crate) async fn flush(&self) {
        let next = self.queue.next();
        loop {
            // Created before the check: a batch completed in between is not missed.
            let completed = self.queue.completed.notified();
            if self.queue.is_complete_before(next) {
                return;
            }
            self.flush_request.notify_one();
            completed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(max_items: usize, batch_size: usize) -> Arc<Queue<u32>> {
        Queue::new(Signal::Traces, max_items, batch_size)
    }

    #[test]
    fn the_newest_item_is_dropped_if_a_limit_of_items_or_bytes_is_reached() {
        let item_limited = queue(2, 1);
        (0..3).for_each(|n| item_limited.push(n, 1));
        assert_eq!(item_limited.take(true).map(|batch| batch.items.clone()), Some(vec![0]));
        let byte_limited = queue(100, 1);
        (0..3).for_each(|n| byte_limited.push(n, MAX_BYTES / 2));
        let report = byte_limited.accounting.report();
        assert_eq!(
            (report.finished, report.pending, report.dropped.get("queue_full")),
            (3, 2, Some(&1))
        );
    }

    #[test]
    fn items_in_flight_count_against_the_limit() {
        let queue = queue(2, 2);
        (0..2).for_each(|n| queue.push(n, 1));
        let batch = queue.take(true).expect("a batch");
        queue.push(2, 1);
        assert_eq!(queue.accounting.report().dropped_total(), 1);
        batch.complete(ExportOutcome::Accepted { rejected: 5 });
        let report = queue.accounting.report();
        assert_eq!(
            (report.ok, report.rejected, report.pending),
            (0, 2, 0),
            "never more rejected than sent"
        );
        queue.push(3, 1);
        assert_eq!(queue.waiting(), 1);
    }

    #[test]
    fn a_batch_dropped_without_a_result_counts_as_failed() {
        let queue = queue(8, 8);
        (0..3).for_each(|n| queue.push(n, 1));
        drop(queue.take(true));
        let report = queue.accounting.report();
        assert_eq!((report.failed, report.failures.get("panic")), (3, Some(&3)));
        assert!(queue.is_complete_before(3));
    }

    #[test]
    fn a_flush_waits_for_an_older_batch_if_a_newer_one_is_complete() {
        let queue = queue(8, 1);
        (0..2).for_each(|n| queue.push(n, 1));
        let (older, newer) = (queue.take(true).expect("older"), queue.take(true).expect("newer"));
        newer.complete(ExportOutcome::Accepted { rejected: 0 });
        assert!(!queue.is_complete_before(2));
        older.complete(ExportOutcome::Accepted { rejected: 0 });
        assert!(queue.is_complete_before(2));
    }

    #[test]
    fn a_forked_child_is_inert_even_if_the_lock_was_held() {
        // A forked child has the same memory, another process id and the locks in their state.
        let mut queue = queue(8, 1);
        Arc::get_mut(&mut queue).expect("the only reference").owner_pid = 0;
        let guard = queue.state.lock().expect("not poisoned");
        queue.push(1, 1);
        assert_eq!((queue.waiting(), queue.accounting.report().finished), (0, 0));
        drop(guard);
        queue.push(2, 1);
        assert!(queue.take(true).is_none());
    }
}
