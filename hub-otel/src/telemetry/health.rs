//! Where each signal goes, for the start line and for whoever asks.

use std::fmt;
use std::net::SocketAddr;

/// Where each signal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// `false`: OTEL_SDK_DISABLED, or the library was built without its feature `enabled`.
    pub enabled: bool,
    /// Where `/metrics` is served; `None` where it is not, e.g. because the default port was taken.
    pub metrics_addr: Option<SocketAddr>,
    /// Where traces go, in words.
    pub traces: String,
    /// Where metrics go, in words.
    pub metrics: String,
    /// Where logs go, in words.
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
