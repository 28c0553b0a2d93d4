//! Keeps secrets out of telemetry: a wrapper for values, a deny-list for attribute keys.

use opentelemetry::Value;
use std::fmt;

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[REDACTED]";

/// A value that never shows: not in a span, a log record, `Debug` output or an error.
///
/// ```
/// use hub_otel::Sensitive;
///
/// let token = Sensitive::new("hunter2".to_owned());
/// assert_eq!(format!("{token:?} {token}"), "[REDACTED] [REDACTED]");
/// assert_eq!(token.expose(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the value out.
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

impl<T> From<Sensitive<T>> for Value {
    fn from(_: Sensitive<T>) -> Self {
        Self::from(REDACTED)
    }
}

impl<T> serde::Serialize for Sensitive<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Words that make an attribute's value a secret, when they stand in its key as a whole word.
const WORDS: &[&str] = &[
    "apikey",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "secrets",
    "token",
];
/// Pairs of words that do.
const PAIRS: &[[&str; 2]] =
    &[["api", "key"], ["access", "key"], ["private", "key"], ["set", "cookie"]];

/// Which attribute keys carry secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct DenyList {
    /// Keys that the user named, and those that the user declared harmless.
    pub(crate) denied: Vec<String>,
    pub(crate) allowed: Vec<String>,
}

impl DenyList {
    /// Whether the value under `key` must not leave the process.
    pub(crate) fn denies(&self, key: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|entry| is_same(entry, key));
        if named(&self.allowed) {
            return false;
        }
        named(&self.denied) || is_secret(key)
    }
}

/// Whether both name the same attribute: on `/metrics` a dot is an underscore.
fn is_same(one: &str, other: &str) -> bool {
    let letter = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    one.chars().map(letter).eq(other.chars().map(letter))
}

/// Whether `key`, the name of an attribute or of a header, is one that secrets go by.
pub(crate) fn is_secret(key: &str) -> bool {
    let mut before = "";
    key.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).any(|word| {
        let hit = WORDS.iter().any(|entry| entry.eq_ignore_ascii_case(word))
            || PAIRS
                .iter()
                .any(|[a, b]| a.eq_ignore_ascii_case(before) && b.eq_ignore_ascii_case(word));
        before = word;
        hit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_secret_by_its_words_and_not_by_its_letters() {
        for key in [
            "password",
            "db.password",
            "http.request.header.authorization",
            "X-API-Key",
            "session_token",
            "Set-Cookie",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in [
            "gen_ai.usage.input_tokens",
            crate::semconv::attribute::WORKFLOW_ID,
            "author",
            "db.collection.name",
            "key",
            "tokenizer",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
