//! The snapshot of the environment, the only place that reads it.
//!
//! Tests pass a snapshot of their own. Changing the environment of the process would be a data
//! race.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables of this library at the time of the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    values: BTreeMap<String, String>,
    /// Variables with a value that is not UTF-8. Ignored with a warning; an error in strict mode.
    unreadable: Vec<String>,
}

/// Returns whether the snapshot contains `name`. Other variables may hold secrets.
fn is_included(name: &str) -> bool {
    name.starts_with("OTEL_")
        || name.starts_with("HUB_OTEL_")
        || matches!(name, "RUST_LOG" | "NO_COLOR" | "HOSTNAME" | "COMPUTERNAME")
}

impl Environment {
    /// Reads the environment of the process.
    pub(crate) fn from_process() -> Self {
        Self::collect(std::env::vars_os())
    }

    /// Creates a snapshot of `variables`.
    pub(crate) fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::collect(variables.into_iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn collect(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            if !is_included(&name) {
                continue;
            }
            match value.into_string() {
                // An empty variable counts as unset, by the specification.
                Ok(value) if value.trim().is_empty() => {}
                Ok(value) => {
                    environment.values.insert(name, value.trim().to_owned());
                }
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }

    /// Returns the trimmed value of `name`. `None` if it is unset or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Returns the names of the variables with a value that is not UTF-8.
    pub(crate) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
}
