//! Bounded label values that arrive at run time.

use crate::metrics::instruments::Overflow;
use rustc_hash::FxHashSet;
use std::sync::{PoisonError, RwLock};

/// Cap of the values of a label that has no cap of its own.
pub(super) const MAX_VALUES: usize = 100;

/// Cap of the length of a value, in bytes.
const MAX_BYTES: usize = 128;

/// The values of one label that have a series.
pub(super) struct LabelValues {
    label: &'static str,
    max_values: usize,
    known: RwLock<FxHashSet<Box<str>>>,
}

impl LabelValues {
    pub(super) fn new(label: &'static str, max_values: usize) -> Self {
        Self { label, max_values, known: RwLock::default() }
    }

    /// Returns whether `value` has a series of its own. Otherwise it is counted in `overflow`.
    pub(super) fn admits(&self, value: &str, overflow: &Overflow) -> bool {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(value) {
            return true;
        }
        if value.len() <= MAX_BYTES {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() < self.max_values || known.contains(value) {
                known.insert(value.into());
                return true;
            }
        }
        overflow.count(self.label, value);
        false
    }
}
