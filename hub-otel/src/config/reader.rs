//! The reader of settings: looks up a value in the builder, then in the environment, else uses the
//! default, and collects the invalid ones.
//!
//! The builder stores its values under the name of the corresponding variable: one parser serves
//! both, and an error names the source of the value.

use crate::config::env::Environment;
use crate::telemetry::error::SettingProblem;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    Environment(String),
    Builder(&'static str),
}

impl Origin {
    /// Returns whether the value was set, by the builder or the environment.
    pub(crate) fn is_chosen(&self) -> bool {
        *self != Self::Default
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => f.write_str(name),
            Self::Builder(method) => write!(f, "builder().{method}(…)"),
        }
    }
}

/// A value and its source.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Setting<T> {
    pub(crate) fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }

    pub(crate) fn is_default(&self) -> bool {
        self.origin == Origin::Default
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The builder's values with the method that set them, by the corresponding variable.
pub(crate) type Overrides = BTreeMap<String, (&'static str, String)>;

/// Reads settings and collects all problems.
pub(crate) struct SettingsReader<'a> {
    pub(crate) overrides: &'a Overrides,
    pub(crate) environment: &'a Environment,
    pub(crate) problems: Vec<SettingProblem>,
}

impl SettingsReader<'_> {
    /// Returns the first value among `names`: in the builder, then in the environment.
    pub(crate) fn find(&mut self, names: &[&str]) -> Option<(Origin, String)> {
        for name in names {
            if let Some((method, value)) = self.overrides.get(*name) {
                let origin = Origin::Builder(method);
                if value.trim().is_empty() {
                    self.problem(&origin, "", "a value; omit the call to use the default");
                    return None;
                }
                return Some((origin, value.clone()));
            }
        }
        names.iter().find_map(|name| {
            self.environment
                .get(name)
                .map(|value| (Origin::Environment((*name).to_owned()), value.to_owned()))
        })
    }

    /// Records an invalid value.
    pub(crate) fn problem(&mut self, origin: &Origin, value: &str, expected: impl Into<String>) {
        self.problems.push(SettingProblem::new(origin.to_string(), value, expected));
    }

    /// Reads a setting of any type. The error of `parse` is the expected form.
    pub(crate) fn read<T>(
        &mut self,
        names: &[&str],
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Setting<T> {
        let Some((origin, value)) = self.find(names) else { return Setting::default(default) };
        match parse(&value) {
            Ok(value) => Setting { value, origin },
            Err(expected) => {
                self.problem(&origin, &value, expected);
                Setting { value: default, origin }
            }
        }
    }

    /// Reads a whole number between `min` and `max`.
    pub(crate) fn number(
        &mut self,
        names: &[&str],
        default: usize,
        min: usize,
        max: usize,
    ) -> Setting<usize> {
        self.read(names, default, |value| {
            value.parse().ok().filter(|number| (min..=max).contains(number)).ok_or_else(|| {
                format!("a whole number from {min} to {max}; the default is {default}")
            })
        })
    }

    /// Reads a duration in milliseconds between `min` and `max`.
    pub(crate) fn milliseconds(
        &mut self,
        names: &[&str],
        default: Duration,
        min: u64,
        max: u64,
    ) -> Setting<Duration> {
        self.read(names, default, |value| {
            value
                .parse()
                .ok()
                .filter(|number| (min..=max).contains(number))
                .map(Duration::from_millis)
                .ok_or_else(|| {
                    format!(
                        "milliseconds, from {min} to {max}; the default is {}",
                        default.as_millis()
                    )
                })
        })
    }

    /// Reads `true` or `false`, case-insensitive (specification of the environment variables,
    /// "Boolean value").
    pub(crate) fn boolean(&mut self, names: &[&str], default: bool) -> Setting<bool> {
        self.read(names, default, |value| match value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("`true` or `false`".to_owned()),
        })
    }

    /// Reads one string of a closed list.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        names: &[&str],
        default: T,
        choices: &[(&str, T)],
    ) -> Setting<T> {
        self.read(names, default, |value| parse_one_of(value, choices))
    }
}

/// Returns the entry of `choices` named `value`, case-insensitive.
pub(crate) fn parse_one_of<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value.trim()))
        .map(|(_, entry)| *entry)
        .ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("one of {}", names.join(", "))
        })
}
