//! What was sent against what arrived, by unique ids.

use std::collections::HashMap;

/// The difference between what was sent and what arrived. `Account::default()` is the perfect one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Sent, never stored.
    pub missing: Vec<String>,
    /// Stored more often than once: how many copies too many.
    pub duplicates: usize,
    /// Stored, never sent.
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

    /// Everything arrived; duplicates are allowed.
    pub fn nothing_missing(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty()
    }
}
