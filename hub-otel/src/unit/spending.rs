//! Spending of a unit: the cost of the calls below it, and the account of its budget.

use crate::budget::account::Account;
use crate::money::Picodollars;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Spending of a unit of the type `U`.
pub(crate) struct Spending<U> {
    picodollars: AtomicU64,
    /// Unit around this one. Weak: units that spawn each other in turn must not keep all alive.
    pub(super) parent: Weak<U>,
    /// Workflow around this one, if it is not the parent: it outlives agents in between.
    pub(super) workflow: Weak<U>,
    /// Account of the innermost budget.
    pub(super) account: Option<Arc<Account>>,
}

impl<U> Default for Spending<U> {
    fn default() -> Self {
        Self {
            picodollars: AtomicU64::new(0),
            parent: Weak::new(),
            workflow: Weak::new(),
            account: None,
        }
    }
}

impl<U> Spending<U> {
    /// Creates the spending of a unit below another one.
    pub(super) fn below(parent: Weak<U>, workflow: Weak<U>, account: Option<Arc<Account>>) -> Self {
        Self { parent, workflow, account, ..Self::default() }
    }

    pub(super) fn add(&self, cost: Picodollars) {
        let total = self.picodollars.load(Ordering::Relaxed);
        // Saturates, up to calls that end at the same time.
        self.picodollars.fetch_add(cost.0.min(u64::MAX - total), Ordering::Relaxed);
    }

    /// Returns the cost in US dollars. `None` if no call below the unit had one.
    pub(super) fn usd(&self) -> Option<f64> {
        let total = self.picodollars.load(Ordering::Relaxed);
        (total > 0).then(|| Picodollars(total).usd())
    }
}
