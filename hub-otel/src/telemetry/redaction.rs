//! Redaction of secrets: a wrapper for values and a deny-list of attribute keys.

mod secret_key;

pub(crate) use crate::telemetry::redaction::secret_key::is_secret;

use crate::export::diagnostics::write_line;
use crate::telemetry::redaction::secret_key::{is_same_key, secret_word};
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

/// The replacement for a redacted value.
pub(crate) const REDACTED: &str = "[REDACTED]";

/// A secret value that is printed and recorded as `[REDACTED]`.
///
/// `Debug`, `Display`, `serde::Serialize` and the conversion into an OpenTelemetry attribute value
/// all give `[REDACTED]`. It implements neither `PartialEq` nor `Hash`: a derived comparison takes
/// a time that depends on the secret. Compare [`expose`](Self::expose)d values with a constant-time
/// function, such as the `subtle` crate's.
///
/// ```
/// use hub_otel::Sensitive;
///
/// let token = Sensitive::new("hunter2".to_owned());
/// assert_eq!(format!("{token:?} {token}"), "[REDACTED] [REDACTED]");
/// assert_eq!(token.expose(), "hunter2");
/// ```
#[derive(Clone, Default)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the secret value.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the secret value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(feature = "serde")]
impl<T> serde::Serialize for Sensitive<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Attribute keys with secret values: the user's lists, then the built-in word list.
#[derive(Debug, Clone, Default)]
pub(crate) struct DenyList {
    /// Keys added by `deny_attribute`.
    pub(crate) denied: Vec<String>,
    /// Keys exempted by `allow_attribute`. Take precedence over `denied` and the word list.
    pub(crate) allowed: Vec<String>,
    /// Shared by the clones, which all parts of one pipeline have.
    pub(crate) redacted: Arc<Redacted>,
}

/// Redactions so far.
#[derive(Debug, Default)]
pub(crate) struct Redacted {
    /// Keys that were reported.
    reported: Mutex<HashSet<String>>,
    labels: Mutex<LabelNumbers>,
}

/// Numbers of redacted label values. The values are kept as hashes with a random key.
#[derive(Debug, Default)]
struct LabelNumbers {
    state: RandomState,
    numbers: HashMap<u64, u32>,
    last_by_key: HashMap<String, u32>,
}

/// Limit of reported keys: with more, the keys are generated.
const MAX_REPORTED_KEYS: usize = 100;
/// Limit of numbered label values.
const MAX_NUMBERED_LABELS: usize = 10_000;
/// Limit of the characters of a reported key.
const MAX_REPORTED_CHARACTERS: usize = 100;

impl DenyList {
    /// Returns whether text under `key` must be redacted.
    pub(crate) fn denies(&self, key: &str) -> bool {
        !self.allows(key) && (self.lists(key) || is_secret(key))
    }

    /// Returns whether text under `key` must be redacted. Reports the first redaction of a key that
    /// the built-in words match.
    pub(crate) fn redacts(&self, key: &str) -> bool {
        if self.allows(key) {
            return false;
        }
        if self.lists(key) {
            return true;
        }
        let Some(word) = secret_word(key) else { return false };
        let mut reported = self.redacted.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < MAX_REPORTED_KEYS && !reported.contains(key) {
            reported.insert(key.to_owned());
            drop(reported);
            let key: String = key.chars().take(MAX_REPORTED_CHARACTERS).collect();
            write_line(&format!(
                "the values of `{key}` are exported as {REDACTED}, because the name contains \
                 `{word}`: allow_attribute(\"{key}\") exports them, deny_attribute(\"{key}\") \
                 confirms the redaction"
            ));
        }
        true
    }

    /// Returns the replacement of a label value. Each value of a key has its own, which never
    /// changes: series that differ in a secret stay different.
    pub(crate) fn redact_label(&self, key: &str, value: &str) -> String {
        let mut labels = self.redacted.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = &mut *labels;
        let hash = labels.state.hash_one((key, value));
        let number = match labels.numbers.get(&hash) {
            Some(number) => *number,
            None if labels.numbers.len() < MAX_NUMBERED_LABELS => {
                let last = labels.last_by_key.entry(key.to_owned()).or_default();
                *last += 1;
                labels.numbers.insert(hash, *last);
                *last
            }
            None => return format!("{REDACTED} {hash:x}"),
        };
        if number == 1 { REDACTED.to_owned() } else { format!("{REDACTED} {number}") }
    }

    fn allows(&self, key: &str) -> bool {
        self.allowed.iter().any(|entry| is_same_key(entry, key))
    }

    fn lists(&self, key: &str) -> bool {
        self.denied.iter().any(|entry| is_same_key(entry, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_of_a_label_keeps_its_replacement() {
        let deny = DenyList::default();
        let redact = |key, value| deny.clone().redact_label(key, value);
        for _ in 0..2 {
            assert_eq!(redact("token", "a"), "[REDACTED]");
            assert_eq!(redact("token", "b"), "[REDACTED] 2");
            assert_eq!(redact("password", "b"), "[REDACTED]");
        }
    }

    #[test]
    fn beyond_the_limit_values_stay_different() {
        let deny = DenyList::default();
        let values: HashSet<_> = (0..MAX_NUMBERED_LABELS + 100)
            .map(|value| deny.redact_label("token", &value.to_string()))
            .collect();
        assert_eq!(values.len(), MAX_NUMBERED_LABELS + 100);
    }
}
