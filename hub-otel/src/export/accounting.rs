//! Exact delivery counts of one signal.
//!
//! Invariant, at any time: `finished = ok + rejected + failed + dropped{reason} + pending`.

use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::SeqCst;
use crate::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use crate::telemetry::report::SignalReport;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Delivery counters of one signal.
#[derive(Debug)]
pub(crate) struct Accounting {
    finished: AtomicU64,
    completed: Mutex<CompletedCounts>,
    /// The process that created the counters. A forked child must not use them.
    owner_pid: u32,
}

/// Counts of items with a final result.
#[derive(Debug, Default, Clone)]
struct CompletedCounts {
    /// Set after shutdown: items in flight were counted as dropped, a late result is ignored.
    is_closed: bool,
    ok: u64,
    rejected: u64,
    failed: BTreeMap<Cow<'static, str>, u64>,
    dropped: BTreeMap<&'static str, u64>,
}

impl Default for Accounting {
    fn default() -> Self {
        Self {
            finished: AtomicU64::new(0),
            completed: Mutex::default(),
            owner_pid: std::process::id(),
        }
    }
}

impl Accounting {
    /// Locks the completed counts. Returns `None` in a forked child, where the lock may be held
    /// by a thread that exists only in the parent.
    fn lock(&self) -> Option<MutexGuard<'_, CompletedCounts>> {
        match self.completed.try_lock() {
            Ok(completed) => Some(completed),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if std::process::id() != self.owner_pid => None,
            Err(TryLockError::WouldBlock) => {
                Some(self.completed.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// Applies `change`, unless the counts are closed.
    fn update(&self, change: impl FnOnce(&mut CompletedCounts)) {
        if let Some(mut completed) = self.lock().filter(|completed| !completed.is_closed) {
            change(&mut completed);
        }
    }

    /// Counts finished items. They are pending until a result is recorded.
    pub(crate) fn finished(&self, count: usize) {
        self.finished.fetch_add(count as u64, SeqCst);
    }

    /// Counts one finished item and its drop. Counted after [`close`](Self::close) as well.
    pub(crate) fn drop_on_arrival(&self, reason: &'static str) {
        if let Some(mut completed) = self.lock() {
            self.finished(1);
            *completed.dropped.entry(reason).or_default() += 1;
        }
    }

    /// Records a success: `ok` items accepted, `rejected` items rejected by a partial success.
    pub(crate) fn accepted(&self, ok: usize, rejected: usize) {
        self.update(|completed| {
            completed.ok += ok as u64;
            completed.rejected += rejected as u64;
        });
    }

    /// Records items that were sent without success and must not be retried.
    pub(crate) fn failed(&self, reason: Cow<'static, str>, count: usize) {
        self.update(|completed| *completed.failed.entry(reason).or_default() += count as u64);
    }

    /// Records dropped items that were pending.
    pub(crate) fn dropped(&self, reason: &'static str, count: usize) {
        self.update(|completed| *completed.dropped.entry(reason).or_default() += count as u64);
    }

    /// Counts all pending items as dropped and ignores later results.
    pub(crate) fn close(&self, reason: &'static str) {
        let Some(mut completed) = self.lock() else { return };
        let pending = self.finished.load(SeqCst).saturating_sub(completed.total());
        if pending > 0 {
            *completed.dropped.entry(reason).or_default() += pending;
        }
        completed.is_closed = true;
    }

    /// Returns the current counts. Empty in a forked child.
    pub(crate) fn report(&self) -> SignalReport {
        let Some(completed) = self.lock() else { return SignalReport::default() };
        // Read under the lock: no result is recorded meanwhile, so that the completed items never
        // outnumber the finished ones.
        let finished = self.finished.load(SeqCst);
        let completed = completed.clone();
        let pending = finished.saturating_sub(completed.total());
        SignalReport {
            finished,
            ok: completed.ok,
            rejected: completed.rejected,
            failed: completed.failed.values().sum(),
            failures: completed
                .failed
                .into_iter()
                .map(|(reason, count)| (reason.into_owned(), count))
                .collect(),
            dropped: completed
                .dropped
                .into_iter()
                .map(|(reason, count)| (reason.to_owned(), count))
                .collect(),
            pending,
        }
    }
}

impl CompletedCounts {
    fn total(&self) -> u64 {
        self.ok
            + self.rejected
            + self.failed.values().sum::<u64>()
            + self.dropped.values().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::drop_reason;

    #[test]
    fn closing_counts_pending_items_once_and_later_items_are_still_counted() {
        let accounting = Accounting::default();
        accounting.finished(5);
        accounting.accepted(2, 0);
        accounting.close(drop_reason::SHUTDOWN_DEADLINE);
        // A late response for the batch in flight.
        accounting.accepted(3, 0);
        accounting.drop_on_arrival(drop_reason::AFTER_SHUTDOWN);
        let report = accounting.report();
        assert_eq!((report.finished, report.ok, report.pending), (6, 2, 0));
        assert_eq!(report.dropped.get(drop_reason::SHUTDOWN_DEADLINE), Some(&3));
        assert_eq!(report.dropped.get(drop_reason::AFTER_SHUTDOWN), Some(&1));
    }

    #[test]
    fn a_forked_child_reports_zero_even_if_the_lock_was_held() {
        let accounting = Accounting { owner_pid: 0, ..Accounting::default() };
        let guard = accounting.completed.lock().expect("not poisoned");
        accounting.drop_on_arrival(drop_reason::QUEUE_FULL);
        accounting.dropped(drop_reason::QUEUE_FULL, 1);
        assert_eq!(accounting.report(), SignalReport::default());
        drop(guard);
    }
}
