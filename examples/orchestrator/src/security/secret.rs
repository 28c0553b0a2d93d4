//! A value that is compared and used, and never shown.

use std::fmt;

use subtle::{Choice, ConstantTimeEq as _};

/// A secret. Its `Debug` says nothing; [`Secret::expose`] is the one way to its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether one of `secrets` is `presented`, in a time that depends on the number and length of the secrets only.
    pub fn any_matches(secrets: &[Self], presented: &[u8]) -> bool {
        let found = secrets
            .iter()
            .fold(Choice::from(0), |found, secret| found | secret.0.as_bytes().ct_eq(presented));
        bool::from(found)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
