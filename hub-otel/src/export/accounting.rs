//! What became of every item: `finished = ok + rejected + failed + dropped{reason} + pending`, exactly.

use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::SeqCst;
use crate::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use crate::telemetry::report::SignalReport;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The books of one signal.
#[derive(Debug)]
pub(crate) struct Ledger {
    finished: AtomicU64,
    closed: Mutex<Closed>,
    /// The process whose books these are.
    owner: u32,
}

#[derive(Debug, Default, Clone)]
struct Closed {
    /// Shutdown is over: what was on its way is written down, whatever becomes of it now.
    sealed: bool,
    ok: u64,
    rejected: u64,
    failed: BTreeMap<Cow<'static, str>, u64>,
    dropped: BTreeMap<&'static str, u64>,
}

/// Why an item never left the process.
pub(crate) mod reason {
    /// The queue held as much as it may, in items or in bytes.
    pub(crate) const QUEUE_FULL: &str = "queue_full";
    /// It ended after shutdown had begun.
    pub(crate) const AFTER_SHUTDOWN: &str = "after_shutdown";
    /// Shutdown's deadline passed first.
    pub(crate) const DEADLINE: &str = "shutdown_deadline";
    /// The Collector asked to wait for longer than a minute.
    pub(crate) const RETRY_AFTER: &str = "retry_after_too_long";
    /// At shutdown, no Collector had ever answered.
    pub(crate) const NO_COLLECTOR: &str = "no_collector";
    /// The exporter panicked.
    pub(crate) const PANIC: &str = "panic";

    /// Reasons of drops that are shown at zero, so that an alert sees the first one.
    pub(crate) const DROPS: [&str; 5] =
        [QUEUE_FULL, AFTER_SHUTDOWN, DEADLINE, RETRY_AFTER, NO_COLLECTOR];
}

impl Default for Ledger {
    fn default() -> Self {
        Self { finished: AtomicU64::new(0), closed: Mutex::default(), owner: std::process::id() }
    }
}

impl Ledger {
    /// The closed part; `None` in a child process, where the lock may be held for ever by a thread that is not there.
    fn lock(&self) -> Option<MutexGuard<'_, Closed>> {
        match self.closed.try_lock() {
            Ok(closed) => Some(closed),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if std::process::id() != self.owner => None,
            Err(TryLockError::WouldBlock) => {
                Some(self.closed.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// Writes down what became of items that were on their way.
    fn close(&self, change: impl FnOnce(&mut Closed)) {
        if let Some(mut closed) = self.lock().filter(|closed| !closed.sealed) {
            change(&mut closed);
        }
    }

    /// `count` more items ended.
    pub(crate) fn finished(&self, count: usize) {
        self.finished.fetch_add(count as u64, SeqCst);
    }

    /// One more item ended, and was dropped at once.
    pub(crate) fn turned_away(&self, reason: &'static str) {
        if let Some(mut closed) = self.lock() {
            self.finished(1);
            *closed.dropped.entry(reason).or_default() += 1;
        }
    }

    /// The Collector took `ok` items and refused `rejected`.
    pub(crate) fn accepted(&self, ok: usize, rejected: usize) {
        self.close(|closed| {
            closed.ok += ok as u64;
            closed.rejected += rejected as u64;
        });
    }

    /// `count` items were sent and will not be sent again.
    pub(crate) fn failed(&self, reason: Cow<'static, str>, count: usize) {
        self.close(|closed| *closed.failed.entry(reason).or_default() += count as u64);
    }

    /// `count` items were given up.
    pub(crate) fn dropped(&self, reason: &'static str, count: usize) {
        self.close(|closed| *closed.dropped.entry(reason).or_default() += count as u64);
    }

    /// The end: whatever is pending was given up for `reason`.
    pub(crate) fn seal(&self, reason: &'static str) {
        let Some(mut closed) = self.lock() else { return };
        let pending = self.finished.load(SeqCst).saturating_sub(closed.settled());
        if pending > 0 {
            *closed.dropped.entry(reason).or_default() += pending;
        }
        closed.sealed = true;
    }

    /// The books as they stand; empty in a child process.
    pub(crate) fn report(&self) -> SignalReport {
        let Some(closed) = self.lock() else { return SignalReport::default() };
        // Under the lock: nothing is closed meanwhile, so that never more is closed than has ended.
        let finished = self.finished.load(SeqCst);
        let closed = closed.clone();
        let pending = finished.saturating_sub(closed.settled());
        SignalReport {
            finished,
            ok: closed.ok,
            rejected: closed.rejected,
            failed: closed.failed.values().sum(),
            failures: closed
                .failed
                .into_iter()
                .map(|(reason, count)| (reason.into_owned(), count))
                .collect(),
            dropped: closed
                .dropped
                .into_iter()
                .map(|(reason, count)| (reason.to_owned(), count))
                .collect(),
            pending,
        }
    }
}

impl Closed {
    fn settled(&self) -> u64 {
        self.ok
            + self.rejected
            + self.failed.values().sum::<u64>()
            + self.dropped.values().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_ledger_counts_what_was_pending_once_and_what_comes_later_too() {
        let ledger = Ledger::default();
        ledger.finished(5);
        ledger.accepted(2, 0);
        ledger.seal(reason::DEADLINE);
        // The batch that was on its way is answered after all: too late for the books.
        ledger.accepted(3, 0);
        ledger.turned_away(reason::AFTER_SHUTDOWN);
        let report = ledger.report();
        assert_eq!((report.finished, report.ok, report.pending), (6, 2, 0));
        assert_eq!(report.dropped.get(reason::DEADLINE), Some(&3));
        assert_eq!(report.dropped.get(reason::AFTER_SHUTDOWN), Some(&1));
    }

    #[test]
    fn a_forked_child_reads_empty_books_even_where_the_lock_was_held() {
        let ledger = Ledger { owner: 0, ..Ledger::default() };
        let held = ledger.closed.lock().expect("not poisoned");
        ledger.turned_away(reason::QUEUE_FULL);
        ledger.dropped(reason::QUEUE_FULL, 1);
        assert_eq!(ledger.report(), SignalReport::default());
        drop(held);
    }
}
