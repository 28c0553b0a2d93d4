//! Comparison of sent and stored items by unique ids.

use std::collections::HashMap;

/// Difference between the sent and the stored items. `Account::default()` is no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Sent and not stored.
    pub missing: Vec<String>,
    /// Number of surplus copies.
    pub duplicates: usize,
    /// Stored and not sent.
    pub unexpected: Vec<String>,
}

impl Account {
    pub(super) fn of(expected: Vec<String>, found: Vec<String>) -> Self {
        let mut copies: HashMap<String, usize> = HashMap::new();
        for id in found {
            *copies.entry(id).or_default() += 1;
        }
        let mut account = Self::default();
        for id in expected {
            match copies.remove(&id) {
                Some(count) => account.duplicates += count - 1,
                None => account.missing.push(id),
            }
        }
        account.unexpected = copies.into_keys().collect();
        account.unexpected.sort();
        account
    }

    /// Returns whether each item arrived. Duplicates are allowed.
    pub fn nothing_missing(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty()
    }
}
