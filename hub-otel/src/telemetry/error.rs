//! Why telemetry could not be started: every sentence of it.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why `init`, `build` or `install` failed. Its text names every setting that is wrong, its value and the remedy.
pub struct InitError(Box<Kind>);

enum Kind {
    Settings(Vec<Problem>),
    AlreadyInstalled,
    Thread(io::Error),
    Listener { origin: String, address: SocketAddr, source: io::Error },
    Signals(io::Error),
}

/// One setting that is wrong.
#[derive(Clone)]
pub(crate) struct Problem {
    origin: String,
    value: String,
    expected: String,
}

impl Problem {
    /// `value` is shown: whoever calls this has taken secrets out of it.
    pub(crate) fn new(origin: impl Into<String>, value: &str, expected: impl Into<String>) -> Self {
        Self { origin: origin.into(), value: printable(value), expected: expected.into() }
    }
}

/// A value as it may be shown: one line, no control characters, not endless.
fn printable(value: &str) -> String {
    let mut shown: String =
        value.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(200).is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "{} is empty; expected {}", self.origin, self.expected)
        } else {
            write!(f, "{} is set to `{}`; expected {}", self.origin, self.value, self.expected)
        }
    }
}

impl InitError {
    pub(crate) fn settings(problems: Vec<Problem>) -> Self {
        Self(Box::new(Kind::Settings(problems)))
    }

    pub(crate) fn already_installed() -> Self {
        Self(Box::new(Kind::AlreadyInstalled))
    }

    pub(crate) fn thread(source: io::Error) -> Self {
        Self(Box::new(Kind::Thread(source)))
    }

    pub(crate) fn signals(source: io::Error) -> Self {
        Self(Box::new(Kind::Signals(source)))
    }

    #[cfg_attr(not(feature = "prometheus"), expect(dead_code, reason = "only `/metrics` listens"))]
    pub(crate) fn listener(origin: String, address: SocketAddr, source: io::Error) -> Self {
        Self(Box::new(Kind::Listener { origin, address, source }))
    }

    /// Whether a setting is wrong: a mistake of whoever starts the program, not of the machine.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(*self.0, Kind::Settings(_))
    }

    /// Whether another `install` came first.
    #[must_use]
    pub fn is_already_installed(&self) -> bool {
        matches!(*self.0, Kind::AlreadyInstalled)
    }

    /// The settings that are wrong, one line each; empty where the cause is another.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        match &*self.0 {
            Kind::Settings(problems) => problems.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Settings(problems) => match problems.as_slice() {
                [problem] => problem.fmt(f),
                problems => {
                    write!(f, "{} settings are wrong:", problems.len())?;
                    problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
                }
            },
            Kind::AlreadyInstalled => f.write_str(
                "telemetry is already installed in this process; use the first guard, or `build()` for an instance that is not global",
            ),
            Kind::Thread(_) => f.write_str("the telemetry thread could not be started; raise the limit of threads"),
            Kind::Listener { origin, address, .. } => write!(
                f,
                "metrics cannot be served on {address} (port {}, {origin}); free the port, or set OTEL_EXPORTER_PROMETHEUS_PORT to another one, 0 for any",
                address.port()
            ),
            Kind::Signals(_) => f.write_str("the signal handlers of `shutdown_on_signal` could not be installed"),
        }
    }
}

// As readable as `Display`: `main` prints an error that it returns by `Debug`.
impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self.source() {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for InitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Thread(source) | Kind::Listener { source, .. } | Kind::Signals(source) => {
                Some(source)
            }
            Kind::Settings(_) | Kind::AlreadyInstalled => None,
        }
    }
}
