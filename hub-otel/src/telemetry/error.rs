//! The error of `init`, `build` and `install`.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The reason why `init`, `build` or `install` failed.
///
/// The text names every invalid setting with its value and the expected form. `Debug` prints the
/// same text, so that `fn main() -> Result<(), InitError>` shows a readable message.
///
/// ```
/// use hub_otel::InitErrorKind;
///
/// let error = hub_otel::Telemetry::builder()
///     .env_source([("OTEL_BSP_MAX_QUEUE_SIZE", "0"), ("OTEL_PROPAGATORS", "b3")])
///     .strict_environment(true)
///     .build()
///     .unwrap_err();
/// assert_eq!(error.kind(), InitErrorKind::InvalidSettings);
/// assert_eq!(error.problems().len(), 2);
/// ```
pub struct InitError(Box<InitFailure>);

/// The category of an [`InitError`].
///
/// ```no_run
/// use hub_otel::{InitErrorKind, Telemetry};
///
/// match Telemetry::builder().install() {
///     Ok(telemetry) => drop(telemetry),
///     // A library of this process installed telemetry before.
///     Err(error) if error.kind() == InitErrorKind::AlreadyInstalled => {}
///     Err(error) => eprintln!("{error}"),
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InitErrorKind {
    /// At least one setting of the builder or the environment is invalid.
    /// [`InitError::problems`] lists all of them.
    InvalidSettings,
    /// Another instance is installed in this process. Installed instances are never replaced.
    AlreadyInstalled,
    /// The export thread could not be started: the process is out of threads or file descriptors.
    ExportThread,
    /// The configured address of `/metrics` could not be bound.
    MetricsListener,
    /// The address of the live view could not be bound.
    LiveListener,
    /// The handlers of [`shutdown_on_signal`](crate::TelemetryBuilder::shutdown_on_signal) could
    /// not be installed.
    SignalHandlers,
}

#[cfg_attr(
    not(feature = "prometheus"),
    expect(dead_code, reason = "one failure is that of the metrics listener")
)]
enum InitFailure {
    InvalidSettings(Vec<SettingProblem>),
    AlreadyInstalled,
    ExportThread(io::Error),
    MetricsListener {
        origin: String,
        address: SocketAddr,
        source: io::Error,
    },
    #[cfg(feature = "live")]
    LiveListener {
        origin: String,
        address: SocketAddr,
        source: io::Error,
    },
    SignalHandlers(io::Error),
}

/// One invalid setting.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SettingProblem {
    origin: String,
    value: String,
    expected: String,
}

impl SettingProblem {
    /// Creates a problem. `value` is printed: the caller has redacted secrets.
    pub(crate) fn new(origin: impl Into<String>, value: &str, expected: impl Into<String>) -> Self {
        Self { origin: origin.into(), value: printable(value), expected: expected.into() }
    }
}

/// Returns `value` on one line, without control characters, at most 200 characters long.
fn printable(value: &str) -> String {
    let mut shown: String =
        value.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(200).is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            write!(f, "{} is empty; expected {}", self.origin, self.expected)
        } else {
            write!(f, "{} is set to `{}`; expected {}", self.origin, self.value, self.expected)
        }
    }
}

impl InitError {
    pub(crate) fn settings(problems: Vec<SettingProblem>) -> Self {
        Self(Box::new(InitFailure::InvalidSettings(problems)))
    }

    pub(crate) fn already_installed() -> Self {
        Self(Box::new(InitFailure::AlreadyInstalled))
    }

    pub(crate) fn export_thread(source: io::Error) -> Self {
        Self(Box::new(InitFailure::ExportThread(source)))
    }

    pub(crate) fn signal_handlers(source: io::Error) -> Self {
        Self(Box::new(InitFailure::SignalHandlers(source)))
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn listener(origin: String, address: SocketAddr, source: io::Error) -> Self {
        Self(Box::new(InitFailure::MetricsListener { origin, address, source }))
    }

    #[cfg(feature = "live")]
    pub(crate) fn live_listener(origin: String, address: SocketAddr, source: io::Error) -> Self {
        Self(Box::new(InitFailure::LiveListener { origin, address, source }))
    }

    /// Returns the category of the error.
    ///
    /// ```no_run
    /// use hub_otel::InitErrorKind;
    ///
    /// let telemetry = match hub_otel::init("scanner") {
    ///     Ok(telemetry) => telemetry,
    ///     Err(error) => {
    ///         eprintln!("{error}");
    ///         // Exit code 2: the user can fix it.
    ///         let is_usage = error.kind() == InitErrorKind::InvalidSettings;
    ///         std::process::exit(if is_usage { 2 } else { 1 });
    ///     }
    /// };
    /// # drop(telemetry);
    /// ```
    #[must_use]
    pub fn kind(&self) -> InitErrorKind {
        match *self.0 {
            InitFailure::InvalidSettings(_) => InitErrorKind::InvalidSettings,
            InitFailure::AlreadyInstalled => InitErrorKind::AlreadyInstalled,
            InitFailure::ExportThread(_) => InitErrorKind::ExportThread,
            InitFailure::MetricsListener { .. } => InitErrorKind::MetricsListener,
            #[cfg(feature = "live")]
            InitFailure::LiveListener { .. } => InitErrorKind::LiveListener,
            InitFailure::SignalHandlers(_) => InitErrorKind::SignalHandlers,
        }
    }

    /// Returns one line per invalid setting. Empty for every other [kind](Self::kind).
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        match &*self.0 {
            InitFailure::InvalidSettings(problems) => {
                problems.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            InitFailure::InvalidSettings(problems) => match problems.as_slice() {
                [problem] => problem.fmt(f),
                problems => {
                    write!(f, "{} settings are wrong:", problems.len())?;
                    problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
                }
            },
            InitFailure::AlreadyInstalled => f.write_str(
                "telemetry is already installed in this process; use the first guard, or \
                 `build()` for an instance that is not global",
            ),
            InitFailure::ExportThread(_) => {
                f.write_str("the telemetry thread could not be started; raise the limit of threads")
            }
            InitFailure::MetricsListener { origin, address, .. } => write!(
                f,
                "metrics cannot be served on {address} (port {}, {origin}); free the port, or set \
                 OTEL_EXPORTER_PROMETHEUS_PORT to another one, 0 for any",
                address.port()
            ),
            #[cfg(feature = "live")]
            InitFailure::LiveListener { origin, address, .. } => write!(
                f,
                "the live view cannot be served on {address} ({origin}); free the port, or set \
                 OTEL_HUB_LIVE to another address, port 0 for any"
            ),
            InitFailure::SignalHandlers(_) => {
                f.write_str("the signal handlers of `shutdown_on_signal` could not be installed")
            }
        }
    }
}

// `main` prints a returned error with `Debug`: it must be as readable as `Display`.
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
            #[cfg(feature = "live")]
            InitFailure::LiveListener { source, .. } => Some(source),
            InitFailure::ExportThread(source)
            | InitFailure::MetricsListener { source, .. }
            | InitFailure::SignalHandlers(source) => Some(source),
            InitFailure::InvalidSettings(_) | InitFailure::AlreadyInstalled => None,
        }
    }
}
