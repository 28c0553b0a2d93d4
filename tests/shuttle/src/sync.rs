//! Replaces `hub-otel/src/sync.rs`: primitives of the checker, which may switch threads at each.

pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, atomic};

use atomic::{AtomicBool, Ordering::SeqCst};

/// `std::sync::OnceLock`, which the checker lacks: a flag for readers and a lock for the writer.
/// The inner `std` cell only provides a reference that outlives the lock.
pub(crate) struct OnceLock<T> {
    set: AtomicBool,
    turn: Mutex<()>,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self {
            set: AtomicBool::new(false),
            turn: Mutex::new(()),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.set.load(SeqCst) { self.value.get() } else { None }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let value = self.value.get_or_init(make);
        self.set.store(true, SeqCst);
        value
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}
