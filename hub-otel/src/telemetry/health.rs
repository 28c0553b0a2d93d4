//! The destination of each signal, for the start message and for health endpoints.

use std::fmt;
use std::net::SocketAddr;

/// The destination of each signal. Returned by [`Telemetry::health`](crate::Telemetry::health).
///
/// ```
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let telemetry = hub_otel::Telemetry::builder()
///     .env_source([("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")])
///     .endpoint("http://localhost:4317")
///     .build()?;
/// assert_eq!(telemetry.health().traces, "http://localhost:4317 (grpc)");
/// assert_eq!(telemetry.health().metrics, "nowhere");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// `false` if OTEL_SDK_DISABLED is `true` or the feature `enabled` is off.
    pub enabled: bool,
    /// The address of `/metrics`. `None` if it is not served, for example because the default port
    /// was in use.
    pub metrics_addr: Option<SocketAddr>,
    /// The destination of traces, as text: endpoint and protocol, `stderr` or `nowhere`.
    pub traces: String,
    /// The destination of metrics, as text.
    pub metrics: String,
    /// The destination of log records, as text.
    pub logs: String,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.enabled {
            return f.write_str("telemetry is disabled");
        }
        write!(f, "traces: {}; metrics: {}; logs: {}", self.traces, self.metrics, self.logs)
    }
}
