//! The feed of the live view: started and ended spans and log records, from the threads of the
//! application to the store.
//!
//! A bounded inbox behind one short lock. Beyond its limit messages are dropped and counted; the
//! caller never waits for the store.

use crate::export::encode::ScopedLogRecord;
use opentelemetry_sdk::trace::SpanData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use tokio::sync::Notify;

/// Limit of the inbox in bytes.
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// Part of the limit that is kept for spans of units: the counters of runs depend on them.
const RESERVED_BYTES: usize = MAX_BYTES / 2;
/// Size of the inbox that is stored at once.
const MUCH: usize = 512 * 1024;

/// One fact about a span.
#[derive(Debug)]
pub(crate) enum Message {
    /// A span started. Its end time is not set.
    Started(SpanData),
    /// A span ended.
    Ended(SpanData),
    /// A log record was emitted.
    Logged(ScopedLogRecord),
}

/// The inbox.
#[derive(Debug)]
pub(crate) struct Feed {
    inbox: Mutex<Inbox>,
    /// Notified by the first message of an empty inbox, and when much is in it.
    pub(crate) wake: Notify,
    dropped: AtomicU64,
    owner_pid: u32,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: Vec<Message>,
    bytes: usize,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            inbox: Mutex::default(),
            wake: Notify::new(),
            dropped: AtomicU64::new(0),
            owner_pid: std::process::id(),
        }
    }

    /// Records the start of a span of a size in bytes, as the limits count it.
    pub(crate) fn started(&self, span: SpanData, bytes: usize) {
        self.push(is_of_library(&span), bytes, || Message::Started(span));
    }

    /// Records the end of a span of a size in bytes, as the limits count it.
    pub(crate) fn ended(&self, span: SpanData, bytes: usize) {
        self.push(is_of_library(&span), bytes, || Message::Ended(span));
    }

    /// Records a log record of a size in bytes.
    pub(crate) fn logged(&self, record: &ScopedLogRecord, bytes: usize) {
        self.push(false, bytes, || {
            let ScopedLogRecord { scope, record } = record;
            Message::Logged(ScopedLogRecord { scope: scope.clone(), record: record.clone() })
        });
    }

    fn push(&self, is_reserved: bool, bytes: usize, message: impl FnOnce() -> Message) {
        let Some(mut inbox) = self.lock() else { return };
        let limit = if is_reserved { MAX_BYTES } else { MAX_BYTES - RESERVED_BYTES };
        if inbox.bytes + bytes > limit {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = inbox.bytes;
        inbox.bytes += bytes;
        inbox.messages.push(message());
        let is_first = inbox.messages.len() == 1;
        let is_much = before < MUCH && inbox.bytes >= MUCH;
        drop(inbox);
        if is_first || is_much {
            self.wake.notify_one();
        }
    }

    /// Takes all messages, in their order.
    pub(crate) fn take(&self) -> Vec<Message> {
        let Some(mut inbox) = self.lock() else { return Vec::new() };
        inbox.bytes = 0;
        std::mem::take(&mut inbox.messages)
    }

    /// Returns the number of messages that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Locks the inbox. Returns `None` in a forked child, where the lock may be held by a thread
    /// that exists only in the parent.
    fn lock(&self) -> Option<MutexGuard<'_, Inbox>> {
        match self.inbox.try_lock() {
            Ok(inbox) => Some(inbox),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if std::process::id() != self.owner_pid => None,
            Err(TryLockError::WouldBlock) => {
                Some(self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

fn is_of_library(span: &SpanData) -> bool {
    span.instrumentation_scope.name() == crate::semconv::SCOPE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::{span, unit_span};

    #[test]
    fn a_start_counts_with_the_size_of_its_texts() {
        let feed = Feed::new();
        for _ in 0..1_000 {
            feed.started(span(1, 1, 0, "GET /"), 64 * 1024);
        }
        let kept = feed.take().len();
        assert!(kept * 64 * 1024 <= MAX_BYTES - RESERVED_BYTES, "{kept}");
        assert_eq!(feed.dropped(), 1_000 - kept as u64);
    }

    #[test]
    fn beyond_the_limit_messages_are_counted_and_units_have_a_reserve() {
        let feed = Feed::new();
        let size = 64 * 1024;
        for _ in 0..1_000 {
            feed.ended(span(1, 1, 0, "GET /"), size);
        }
        let others = feed.take().len();
        assert!(others < 1_000 && feed.dropped() == 1_000 - others as u64);
        for _ in 0..1_000 {
            feed.ended(span(1, 1, 0, "GET /"), size);
        }
        let dropped = feed.dropped();
        feed.ended(unit_span(1, 2, 0, "review", "run-1"), size);
        assert_eq!(feed.dropped(), dropped);
        assert_eq!(feed.take().len(), others + 1);
    }
}
