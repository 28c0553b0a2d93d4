//! Counters of one label set by a label value that arrives at run time.

use crate::metrics::instruments::Overflow;
use crate::shared_str::share_str;
use opentelemetry::StringValue;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Cap of error types and retry reasons per label set.
const MAX_VALUES_PER_LABEL: usize = 50;

/// Limits the values over all label sets of one metric.
#[derive(Debug)]
pub(super) struct ValueBudget(AtomicUsize);

impl ValueBudget {
    pub(super) fn new(values: usize) -> Self {
        Self(AtomicUsize::new(values))
    }

    /// Takes one of the remaining values.
    fn take(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |remaining| remaining.checked_sub(1)).is_ok()
    }
}

/// Counters by value.
#[derive(Default)]
pub(super) struct CounterByValue {
    /// Read without the lock. Most label sets see a single value.
    first: OnceLock<(StringValue, AtomicU64)>,
    others: Mutex<Vec<(StringValue, u64)>>,
    /// The count of values beyond a limit.
    overflow: AtomicU64,
}

impl CounterByValue {
    /// Counts `value` of the label `label`.
    pub(super) fn add(
        &self,
        budget: &ValueBudget,
        overflow: &Overflow,
        label: &'static str,
        value: &str,
    ) {
        if let Some((known, counter)) = self.first.get()
            && known.as_str() == value
        {
            counter.fetch_add(1, Relaxed);
        } else {
            self.add_slow(budget, overflow, label, value);
        }
    }

    #[cold]
    fn add_slow(
        &self,
        budget: &ValueBudget,
        overflow: &Overflow,
        label: &'static str,
        value: &str,
    ) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, counter)) = self.first.get()
            && known.as_str() == value
        {
            // Created by another thread meanwhile.
            counter.fetch_add(1, Relaxed);
        } else if let Some((_, count)) =
            others.iter_mut().find(|(known, _)| known.as_str() == value)
        {
            *count += 1;
        } else if others.len() + 1 < MAX_VALUES_PER_LABEL && budget.take() {
            if self.first.get().is_none() {
                self.first.get_or_init(|| (share_str(value), AtomicU64::new(1)));
            } else {
                others.push((share_str(value), 1));
            }
        } else {
            drop(others);
            overflow.count(label, value);
            self.overflow.fetch_add(1, Relaxed);
        }
    }

    /// Appends the counted values to `counts`. Returns the count of those beyond a limit.
    pub(super) fn read(&self, counts: &mut Vec<(StringValue, u64)>) -> u64 {
        if let Some((value, counter)) = self.first.get() {
            counts.push((value.clone(), counter.load(Relaxed)));
            let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            counts.extend_from_slice(&others);
        }
        self.overflow.load(Relaxed)
    }
}
