//! From the configuration to the guard: the environment, the resource, the exporters, the shutdown.
//!
//! An instance comes first, the process-wide one is a thin last step: `build()` touches nothing global, `install()`
//! adds the global providers, the propagator and a subscriber where there is none.

mod builder;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod cut;
pub(crate) mod deliver;
pub(crate) mod encode;
pub(crate) mod error;
mod farewell;
pub(crate) mod inner;
pub(crate) mod ledger;
pub(crate) mod metrics;
pub(crate) mod pipeline;
pub(crate) mod processor;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod resource;
pub(crate) mod runtime;
pub(crate) mod sensitive;
pub(crate) mod signal;
pub(crate) mod status;
pub(crate) mod subscriber;
pub(crate) mod telemetry;
#[cfg_attr(
    not(any(feature = "grpc", feature = "http")),
    expect(dead_code, reason = "no transport is compiled in")
)]
pub(crate) mod transport;
pub(crate) mod voice;
pub(crate) mod worker;

pub use builder::{Builder, builder, init};
pub use config::otlp::{Compression, Protocol};
pub use config::{Config, Exporter, Signal};
pub use error::InitError;
pub use report::{Report, SignalReport};
pub use sensitive::Sensitive;
pub use signal::shutdown_signal;
pub use status::Status as TelemetryStatus;
pub use telemetry::Telemetry;

/// Starts telemetry under the name and the version of the calling crate, and installs it for the process.
///
/// Name and version are defaults: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over them.
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
        $crate::builder()
            .default_service(env!("CARGO_PKG_NAME"))
            .default_version(env!("CARGO_PKG_VERSION"))
            .install()
    };
}

/// What the exporters call themselves (OTLP specification, "User Agent").
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) const USER_AGENT: &str =
    concat!("OTel-OTLP-Exporter-Rust/0.33.1 hub-otel/", env!("CARGO_PKG_VERSION"));
