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
    /// `set_var` with this variable.
    SetVar(String),
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
            Self::SetVar(name) => write!(f, "builder().set_var(\"{name}\", …)"),
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

/// The builder's method for any variable. Its values follow the rules of the environment, except
/// that a malformed number is an error.
pub(crate) const SET_VAR: &str = "set_var";

/// An invalid value: the expected form, and the way it is invalid.
#[derive(Debug)]
pub(crate) enum Invalid {
    /// Not known to this implementation, or out of range: another one may accept it.
    Unsupported(String),
    /// Not accepted by any implementation.
    Malformed(String),
}

impl Invalid {
    fn expected(self) -> String {
        match self {
            Self::Unsupported(expected) | Self::Malformed(expected) => expected,
        }
    }
}

/// Reads settings and collects all problems.
///
/// Values of the environment follow the OpenTelemetry specification: an invalid one is ignored, as
/// if it was not set, with a warning. A cluster sets the same variables for programs in several
/// languages. In strict mode every invalid value is an error, and so is one of the builder.
pub(crate) struct SettingsReader<'a> {
    pub(crate) overrides: &'a Overrides,
    pub(crate) environment: &'a Environment,
    pub(crate) is_strict: bool,
    pub(crate) problems: Vec<SettingProblem>,
    /// Ignored values, with what applies instead.
    pub(crate) warnings: Vec<String>,
}

impl<'a> SettingsReader<'a> {
    pub(crate) fn new(overrides: &'a Overrides, environment: &'a Environment) -> Self {
        let (problems, warnings) = (Vec::new(), Vec::new());
        Self { overrides, environment, is_strict: false, problems, warnings }
    }

    /// Returns the values of `names`, in the order of precedence: the builder's, then those of the
    /// environment.
    fn candidates(&mut self, names: &[&str]) -> Vec<(Origin, String)> {
        let mut found = Vec::new();
        for name in names {
            if let Some((method, value)) = self.overrides.get(*name) {
                let origin = match *method {
                    SET_VAR => Origin::SetVar((*name).to_owned()),
                    method => Origin::Builder(method),
                };
                if value.trim().is_empty() {
                    self.problem(&origin, "", "a value; omit the call to use the default");
                    return Vec::new();
                }
                found.push((origin, value.clone()));
            }
        }
        found.extend(names.iter().filter_map(|name| {
            let value = self.environment.get(name)?.to_owned();
            Some((Origin::Environment((*name).to_owned()), value))
        }));
        found
    }

    /// Returns the first value among `names`: in the builder, then in the environment.
    pub(crate) fn find(&mut self, names: &[&str]) -> Option<(Origin, String)> {
        self.candidates(names).into_iter().next()
    }

    /// Records an invalid value. The same mistake is recorded once: all signals read the common
    /// variables.
    pub(crate) fn problem(&mut self, origin: &Origin, value: &str, expected: impl Into<String>) {
        let problem = SettingProblem::new(origin.to_string(), value, expected);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Records an invalid value that is ignored, unless its origin or the mode requires an error.
    pub(crate) fn ignore(&mut self, origin: &Origin, value: &str, invalid: Invalid) {
        if self.is_error(origin, &invalid) {
            self.problem(origin, value, invalid.expected());
        } else {
            self.warn(origin, value, invalid.expected(), "it is ignored");
        }
    }

    fn warn(&mut self, origin: &Origin, value: &str, expected: String, effect: &str) {
        let problem = SettingProblem::new(origin.to_string(), value, expected);
        let warning = format!("{problem}; {effect}");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn is_error(&self, origin: &Origin, invalid: &Invalid) -> bool {
        let is_malformed = matches!(invalid, Invalid::Malformed(_));
        self.is_strict
            || match origin {
                Origin::Environment(_) | Origin::Default => false,
                Origin::SetVar(_) => is_malformed,
                Origin::Builder(_) => true,
            }
    }

    /// Reads a setting without which telemetry cannot work as intended: an invalid value is always
    /// an error. The error of `parse` is the expected form.
    pub(crate) fn require<T>(
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

    /// Reads a setting of any type. Ignored values give way to the next one by precedence.
    pub(crate) fn read<T>(
        &mut self,
        names: &[&str],
        default: T,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Setting<T> {
        for (origin, value) in self.candidates(names) {
            match parse(&value) {
                Ok(value) => return Setting { value, origin },
                Err(invalid) => self.ignore(&origin, &value, invalid),
            }
        }
        Setting::default(default)
    }

    /// Reads a list with commas. Ignored items are left out; a list without any other item is
    /// ignored as a whole. `none` alone is the empty list.
    pub(crate) fn list<T: Copy + PartialEq>(
        &mut self,
        names: &[&str],
        default: Vec<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Setting<Vec<T>> {
        for (origin, value) in self.candidates(names) {
            if value.trim().eq_ignore_ascii_case("none") {
                return Setting { value: Vec::new(), origin };
            }
            let mut items = Vec::new();
            for item in value.split(',') {
                match parse(item) {
                    Ok(item) if items.contains(&item) => {}
                    Ok(item) => items.push(item),
                    Err(expected) if self.is_strict => self.problem(&origin, &value, expected),
                    Err(expected) => {
                        self.ignore(&origin, item.trim(), Invalid::Unsupported(expected));
                    }
                }
            }
            if !items.is_empty() {
                return Setting { value: items, origin };
            }
        }
        Setting::default(default)
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
            let number = value.parse().ok().filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| {
                let form = format!("a whole number from {min} to {max}; the default is {default}");
                invalid_number(value, form)
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
            let number = value.parse().ok().filter(|number| (min..=max).contains(number));
            number.map(Duration::from_millis).ok_or_else(|| {
                let default = default.as_millis();
                let form = format!("milliseconds, from {min} to {max}; the default is {default}");
                invalid_number(value, form)
            })
        })
    }

    /// Reads a timeout in milliseconds up to `max`. 0 is no limit (specification of the environment
    /// variables, "Timeout"), except in strict mode and in the typed methods of the builder.
    pub(crate) fn timeout(
        &mut self,
        names: &[&str],
        default: Duration,
        max: u64,
    ) -> Setting<Duration> {
        if let Some((origin, value)) = self.find(names)
            && value.parse() == Ok(0_u64)
            && !self.is_error(&origin, &Invalid::Unsupported(String::new()))
        {
            return Setting { value: Duration::MAX, origin };
        }
        self.milliseconds(names, default, 1, max)
    }

    /// Reads `true` or `false`, case-insensitive. Any other value is `false`, with a warning
    /// (specification of the environment variables, "Boolean").
    pub(crate) fn boolean(&mut self, names: &[&str], default: bool) -> Setting<bool> {
        let Some((origin, value)) = self.find(names) else { return Setting::default(default) };
        let is_true = value.trim().eq_ignore_ascii_case("true");
        if !is_true && !value.trim().eq_ignore_ascii_case("false") {
            let expected = "`true` or `false`".to_owned();
            let invalid = Invalid::Unsupported(expected.clone());
            if self.is_error(&origin, &invalid) {
                self.problem(&origin, &value, expected);
            } else {
                self.warn(&origin, &value, expected, "it counts as `false`");
            }
        }
        Setting { value: is_true, origin }
    }

    /// Reads one string of a closed list.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        names: &[&str],
        default: T,
        choices: &[(&str, T)],
    ) -> Setting<T> {
        self.read(names, default, |value| {
            parse_one_of(value, choices).map_err(Invalid::Unsupported)
        })
    }
}

/// Returns the error of `value`: a number out of range, or no number.
pub(crate) fn invalid_number(value: &str, expected: String) -> Invalid {
    match value.trim().parse::<f64>() {
        Ok(_) => Invalid::Unsupported(expected),
        Err(_) => Invalid::Malformed(expected),
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
