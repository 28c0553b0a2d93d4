//! State that any thread may change until it is sealed. Every change is either applied before the
//! seal or rejected.

use crate::sync::{Mutex, MutexGuard, PoisonError};
use std::ops::{Deref, DerefMut};

/// A value under a lock, with a flag that ends all changes.
pub(crate) struct Sealable<T> {
    inner: Mutex<Sealed<T>>,
}

/// The value, under the lock.
pub(crate) struct Sealed<T> {
    value: T,
    sealed: bool,
}

impl<T> Sealable<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { inner: Mutex::new(Sealed { value, sealed: false }) }
    }

    /// Locks the value for reading, before and after the seal.
    pub(crate) fn read(&self) -> MutexGuard<'_, Sealed<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the value for a change. `None` after the seal.
    pub(crate) fn change(&self) -> Option<MutexGuard<'_, Sealed<T>>> {
        let inner = self.read();
        (!inner.sealed).then_some(inner)
    }

    /// Ends all changes and returns the final value. `None` if it was sealed before.
    pub(crate) fn seal(&self) -> Option<MutexGuard<'_, Sealed<T>>> {
        let mut inner = self.change()?;
        inner.sealed = true;
        Some(inner)
    }
}

impl<T> Deref for Sealed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Sealed<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
