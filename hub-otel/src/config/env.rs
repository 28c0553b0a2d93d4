//! The one reader of the environment.
//!
//! Everything else works on the snapshot that is taken here, so that a test passes a snapshot of its own instead of
//! changing the process' environment, which is a race.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables that this library knows, as they were when it started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    values: BTreeMap<String, String>,
    /// Variables of ours whose value is not UTF-8: an error, never a panic.
    unreadable: Vec<String>,
}

/// Only these are kept: a snapshot of the whole environment would hold other programs' secrets.
fn is_ours(name: &str) -> bool {
    name.starts_with("OTEL_")
        || name.starts_with("HUB_OTEL_")
        || matches!(name, "RUST_LOG" | "NO_COLOR" | "HOSTNAME" | "COMPUTERNAME")
}

impl Environment {
    /// Reads the process' environment.
    pub(crate) fn of_the_process() -> Self {
        Self::collect(std::env::vars_os())
    }

    /// A snapshot made of `variables`.
    pub(crate) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::collect(variables.into_iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn collect(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            if !is_ours(&name) {
                continue;
            }
            match value.into_string() {
                // The specification: an empty variable counts as unset.
                Ok(value) if value.trim().is_empty() => {}
                Ok(value) => {
                    environment.values.insert(name, value.trim().to_owned());
                }
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }

    /// The value of `name`, without the space around it; `None` where it is unset or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The names of the variables that are set to something that is not text.
    pub(crate) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
}
