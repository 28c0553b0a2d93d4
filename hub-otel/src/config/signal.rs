//! The signals and their exporters.

use crate::semconv::value::signal;
use std::fmt;

/// A kind of telemetry.
///
/// Non-exhaustive: the OpenTelemetry specification may add signals (profiles are in development).
///
/// ```
/// use hub_otel::Signal;
///
/// let names: Vec<_> = Signal::ALL.iter().map(|signal| signal.as_str()).collect();
/// assert_eq!(names, ["traces", "metrics", "logs"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// All signals that this version supports.
    pub const ALL: &'static [Self] = &[Self::Traces, Self::Metrics, Self::Logs];

    /// Returns the name used in text and labels: `traces`, `metrics` or `logs`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => signal::TRACES,
            Self::Metrics => signal::METRICS,
            Self::Logs => signal::LOGS,
        }
    }

    /// Returns the name used in environment variables: `OTEL_{NAME}_EXPORTER`.
    pub(crate) const fn upper(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Returns the plural noun for the signal's items, for diagnostics.
    pub(crate) const fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metric points",
            Self::Logs => "log records",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The destination of a signal: a value of `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` or
/// `OTEL_LOGS_EXPORTER`.
///
/// Set by [`TelemetryBuilder::exporters`](crate::TelemetryBuilder::exporters). Non-exhaustive: more
/// exporters may be supported later.
///
/// ```
/// use hub_otel::{Exporter, Signal, Telemetry};
///
/// let builder = Telemetry::builder()
///     .exporters(Signal::Traces, [Exporter::Otlp, Exporter::Console])
///     .exporters(Signal::Logs, []);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exporter {
    /// OTLP, to a Collector or another OTLP endpoint.
    Otlp,
    /// Human-readable text on stderr.
    Console,
    /// Prometheus text on `/metrics`, on a separate listener. Metrics only.
    Prometheus,
}

impl Exporter {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Console => "console",
            Self::Prometheus => "prometheus",
        }
    }
}
