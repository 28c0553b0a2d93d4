//! Facts that any thread may add until the end: each counts exactly once, or came too late and does not count at all.

use crate::sync::{Mutex, MutexGuard, PoisonError};
use std::ops::Deref;
use std::ops::DerefMut;

/// Facts, and whether their end has come.
pub(crate) struct UntilEnd<T> {
    told: Mutex<Told<T>>,
}

/// The facts, under the lock.
pub(crate) struct Told<T> {
    facts: T,
    ended: bool,
}

impl<T> UntilEnd<T> {
    pub(crate) fn new(facts: T) -> Self {
        Self { told: Mutex::new(Told { facts, ended: false }) }
    }

    /// To be read, before the end and after it.
    pub(crate) fn read(&self) -> MutexGuard<'_, Told<T>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be added to; `None` after the end.
    pub(crate) fn add(&self) -> Option<MutexGuard<'_, Told<T>>> {
        let told = self.read();
        (!told.ended).then_some(told)
    }

    /// The end: what is told by now is all there will ever be.
    pub(crate) fn end(&self) -> MutexGuard<'_, Told<T>> {
        let mut told = self.read();
        told.ended = true;
        told
    }
}

impl<T> Deref for Told<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.facts
    }
}

impl<T> DerefMut for Told<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.facts
    }
}
