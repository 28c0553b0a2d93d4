//! Redaction of secrets: a wrapper for values and a deny-list of attribute keys.

use std::fmt;

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

/// Words that mark an attribute as secret, if its key contains them as a whole word.
const SECRET_WORDS: &[&str] = &[
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
/// Adjacent word pairs that mark an attribute as secret.
const SECRET_WORD_PAIRS: &[[&str; 2]] =
    &[["api", "key"], ["access", "key"], ["private", "key"], ["set", "cookie"]];

/// Attribute keys with secret values: the user's lists, then the built-in word list.
#[derive(Debug, Clone, Default)]
pub(crate) struct DenyList {
    /// Keys added by `deny_attribute`.
    pub(crate) denied: Vec<String>,
    /// Keys exempted by `allow_attribute`. Take precedence over `denied` and the word list.
    pub(crate) allowed: Vec<String>,
}

impl DenyList {
    /// Returns whether the value of `key` must be redacted.
    pub(crate) fn denies(&self, key: &str) -> bool {
        let lists_key = |list: &[String]| list.iter().any(|entry| is_same_key(entry, key));
        if lists_key(&self.allowed) {
            return false;
        }
        lists_key(&self.denied) || is_secret(key)
    }
}

/// Returns whether both keys name the same attribute. Prometheus replaces dots by underscores.
fn is_same_key(first: &str, second: &str) -> bool {
    let normalize = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    first.chars().map(normalize).eq(second.chars().map(normalize))
}

/// Returns whether an attribute key or header name contains a secret word or word pair.
pub(crate) fn is_secret(key: &str) -> bool {
    let mut previous = "";
    key.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).any(|word| {
        let is_match = SECRET_WORDS.iter().any(|entry| entry.eq_ignore_ascii_case(word))
            || SECRET_WORD_PAIRS
                .iter()
                .any(|[a, b]| a.eq_ignore_ascii_case(previous) && b.eq_ignore_ascii_case(word));
        previous = word;
        is_match
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_secret_if_it_contains_a_secret_word_as_a_whole_word() {
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
