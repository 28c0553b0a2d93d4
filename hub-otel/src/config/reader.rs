//! Finds a setting's value: the builder's, else the environment's, else the default; and says what is wrong with it.
//!
//! The builder records what it is told under the name of the variable that says the same, so that one parser serves
//! both, and an error names whichever of the two was wrong.

use crate::config::env::Environment;
use crate::telemetry::error::SettingProblem;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    Environment(String),
    Builder(&'static str),
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

/// A value, and where it came from.
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

/// What the builder was told, by the variable that says the same.
pub(crate) type Overrides = BTreeMap<String, (&'static str, String)>;

/// Reads settings and collects what is wrong with them, all of it.
pub(crate) struct Reader<'a> {
    pub(crate) overrides: &'a Overrides,
    pub(crate) environment: &'a Environment,
    pub(crate) problems: Vec<SettingProblem>,
}

impl Reader<'_> {
    /// The value under the first of `names` that has one: every name in the builder before any in the environment.
    pub(crate) fn find(&mut self, names: &[&str]) -> Option<(Origin, String)> {
        for name in names {
            if let Some((method, value)) = self.overrides.get(*name) {
                let origin = Origin::Builder(method);
                if value.trim().is_empty() {
                    self.problem(&origin, "", "something; leave the call out to use the default");
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

    /// Notes that `value`, from `origin`, is not what is `expected`.
    pub(crate) fn problem(&mut self, origin: &Origin, value: &str, expected: impl Into<String>) {
        self.problems.push(SettingProblem::new(origin.to_string(), value, expected));
    }

    /// A setting of any type. `parse` says what was expected when the value is not that.
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

    /// A whole number between `least` and `most`.
    pub(crate) fn number(
        &mut self,
        names: &[&str],
        default: usize,
        least: usize,
        most: usize,
    ) -> Setting<usize> {
        self.read(names, default, |value| {
            value.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
                format!("a whole number from {least} to {most}; the default is {default}")
            })
        })
    }

    /// A time in milliseconds between `least` and `most`.
    pub(crate) fn milliseconds(
        &mut self,
        names: &[&str],
        default: Duration,
        least: u64,
        most: u64,
    ) -> Setting<Duration> {
        self.read(names, default, |value| {
            value
                .parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .map(Duration::from_millis)
                .ok_or_else(|| {
                    format!(
                        "milliseconds, from {least} to {most}; the default is {}",
                        default.as_millis()
                    )
                })
        })
    }

    /// `true` or `false`, in any case (the specification, "Boolean value").
    pub(crate) fn boolean(&mut self, names: &[&str], default: bool) -> Setting<bool> {
        self.read(names, default, |value| match value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("`true` or `false`".to_owned()),
        })
    }

    /// One word of a closed list.
    pub(crate) fn word<T: Copy>(
        &mut self,
        names: &[&str],
        default: T,
        words: &[(&str, T)],
    ) -> Setting<T> {
        self.read(names, default, |value| one_of(value, words))
    }
}

/// The entry of `words` that `value` names.
pub(crate) fn one_of<T: Copy>(value: &str, words: &[(&str, T)]) -> Result<T, String> {
    words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(value.trim()))
        .map(|(_, entry)| *entry)
        .ok_or_else(|| {
            let choices: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            format!("one of {}", choices.join(", "))
        })
}
