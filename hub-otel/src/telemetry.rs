//! Telemetry of a process: the builder, the guard, the shutdown and the report.
//!
//! `build()` creates an instance and changes no global state. `install()` adds the global
//! providers, the propagator, and a subscriber if none is set.

pub(crate) mod builder;
mod declare;
mod default_action;
pub(crate) mod error;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod redaction;
pub(crate) mod report;
pub(crate) mod shutdown;
pub(crate) mod shutdown_message;
pub(crate) mod signal;
pub(crate) mod subscriber;

pub use crate::config::Config;
pub use crate::config::otlp::{Compression, Protocol};
pub use crate::config::signal::{Exporter, Signal};
pub use crate::telemetry::builder::{TelemetryBuilder, init};
pub use crate::telemetry::error::{InitError, InitErrorKind};
pub use crate::telemetry::guard::Telemetry;
pub use crate::telemetry::health::Health;
pub use crate::telemetry::redaction::Sensitive;
pub use crate::telemetry::report::{ExporterReport, Report, SignalReport};
pub use crate::telemetry::signal::shutdown_signal;

/// Starts telemetry under the name and the version of the calling crate and installs it for the
/// process.
///
/// Name and version are defaults: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
/// Returns a [`Telemetry`](crate::Telemetry) guard or an [`InitError`](crate::InitError).
///
/// No signal handler is installed. For a delivery on SIGTERM, wait for
/// [`shutdown_signal`](crate::shutdown_signal), or use the builder with
/// [`shutdown_on_signal`](crate::TelemetryBuilder::shutdown_on_signal).
///
/// ```no_run
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let telemetry = hub_otel::init!()?;
/// telemetry.shutdown_blocking();
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! init {
    () => {
        $crate::Telemetry::builder()
            .default_service_name(env!("CARGO_PKG_NAME"))
            .default_service_version(env!("CARGO_PKG_VERSION"))
            .install()
    };
}
