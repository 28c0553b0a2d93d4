//! In the place of `hub-otel/src/sync.rs`: the checker's primitives, at each of which it may switch
//! threads.

pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, atomic};

use atomic::{AtomicBool, Ordering::SeqCst};

/// `std::sync::OnceLock`, which the checker lacks: a flag to look at, a lock to take turns at
/// setting. std's own stands inside for nothing but the reference that outlives the lock.
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
