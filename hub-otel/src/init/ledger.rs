//! What became of every item: `ended = ok + rejected + failed + dropped{reason} + pending`, exactly.

use super::report::SignalReport;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// The books of one signal.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ended: AtomicU64,
    closed: Mutex<Closed>,
}

#[derive(Debug, Default, Clone)]
struct Closed {
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
    pub(crate) const DROPS: [&str; 5] = [QUEUE_FULL, AFTER_SHUTDOWN, DEADLINE, RETRY_AFTER, NO_COLLECTOR];
}

impl Ledger {
    /// `count` more items ended.
    pub(crate) fn ended(&self, count: usize) {
        self.ended.fetch_add(count as u64, SeqCst);
    }

    fn close(&self, change: impl FnOnce(&mut Closed)) {
        change(&mut self.closed.lock().unwrap_or_else(PoisonError::into_inner));
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

    /// The books as they stand.
    pub(crate) fn report(&self) -> SignalReport {
        // The closed items first: they ended before, so that nothing is ever closed that has not ended.
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ended = self.ended.load(SeqCst);
        let failed = closed.failed.values().sum();
        let settled = closed.ok + closed.rejected + failed + closed.dropped.values().sum::<u64>();
        SignalReport {
            ended,
            ok: closed.ok,
            rejected: closed.rejected,
            failed,
            failures: closed.failed.into_iter().map(|(reason, count)| (reason.into_owned(), count)).collect(),
            dropped: closed.dropped.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            pending: ended.saturating_sub(settled),
        }
    }
}
