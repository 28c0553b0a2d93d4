//! The escape hatch: OpenTelemetry itself, as this library uses it.
//!
//! The one public module, beside the integrations, with types of crates whose versions begin with
//! 0: what is here may change with a minor version of OpenTelemetry. Callbacks of observable
//! instruments that are registered through it are outside this library's promises: one that panics
//! or hangs spoils the reading of metrics. Deliver with
//! [`Telemetry::flush`](crate::Telemetry::flush): a provider's own `force_flush` asks for it and
//! does not wait.
//!
//! ```
//! use hub_otel::otel::opentelemetry::trace::{Tracer, TracerProvider};
//!
//! # fn main() -> Result<(), hub_otel::InitError> {
//! let telemetry = hub_otel::Telemetry::builder().env_source([("OTEL_SDK_DISABLED", "true")]).build()?;
//! let tracer = hub_otel::otel::tracer_provider(&telemetry).tracer("my-crate");
//! tracer.in_span("a span of my own", |_| ());
//! # Ok(())
//! # }
//! ```

pub use opentelemetry;
pub use opentelemetry::trace::FutureExt;
pub use opentelemetry_sdk;

use crate::Telemetry;
use crate::propagation::RemoteContext;
use opentelemetry::Context;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// The provider of tracers of `telemetry`; one that records nothing when telemetry is disabled.
#[must_use]
pub fn tracer_provider(telemetry: &Telemetry) -> SdkTracerProvider {
    let off = || SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    telemetry.handle().map_or_else(off, |handle| handle.pipeline.tracer_provider.clone())
}

/// The provider of meters of `telemetry`; one that nobody reads when telemetry is disabled.
#[must_use]
pub fn meter_provider(telemetry: &Telemetry) -> SdkMeterProvider {
    let off = || SdkMeterProvider::builder().build();
    telemetry.handle().map_or_else(off, |handle| handle.pipeline.meter_provider.clone())
}

/// The provider of loggers of `telemetry`; one that keeps nothing when log records go nowhere.
#[must_use]
pub fn logger_provider(telemetry: &Telemetry) -> SdkLoggerProvider {
    let off = || SdkLoggerProvider::builder().build();
    telemetry
        .handle()
        .and_then(|handle| handle.pipeline.logger_provider.clone())
        .unwrap_or_else(off)
}

/// Returns the OpenTelemetry context of `remote`.
///
/// ```
/// use hub_otel::otel::opentelemetry::trace::TraceContextExt;
///
/// let remote = hub_otel::propagation::from_env();
/// let trace_id = hub_otel::otel::context_of(&remote).span().span_context().trace_id();
/// # let _ = trace_id;
/// ```
#[must_use]
pub fn context_of(remote: &RemoteContext) -> &Context {
    remote.as_otel()
}

/// Wraps a context that another propagator extracted, so that units can start under it.
///
/// ```
/// use hub_otel::otel::opentelemetry::Context;
///
/// let remote = hub_otel::otel::remote_context(Context::current());
/// remote.in_scope(|| { /* … */ });
/// ```
#[must_use]
pub fn remote_context(context: Context) -> RemoteContext {
    RemoteContext::new(context)
}

/// Returns the provider of tracers of a capture: [`Capture::spans`](crate::testing::Capture::spans)
/// contains the spans made with it.
///
/// ```
/// use hub_otel::otel::opentelemetry::trace::{Tracer, TracerProvider};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// let tracer = hub_otel::otel::capture_tracer_provider(&capture).tracer("my-crate");
/// let work = async { tracer.in_span("a span of my own", |_| ()) };
/// hub_otel::workflow("nightly").run(work).await;
/// assert_eq!(capture.spans().names(), "workflow.execute\n  a span of my own\n");
/// # }
/// ```
#[cfg(feature = "testing")]
#[must_use]
pub fn capture_tracer_provider(capture: &crate::testing::Capture) -> SdkTracerProvider {
    capture.tracer_provider().clone()
}

/// Returns the provider of meters of a capture:
/// [`Capture::metrics`](crate::testing::Capture::metrics) contains what its instruments record.
///
/// ```
/// use hub_otel::otel::opentelemetry::metrics::MeterProvider;
///
/// let capture = hub_otel::testing::capture();
/// let meter = hub_otel::otel::capture_meter_provider(&capture).meter("my-crate");
/// meter.u64_counter("orders").build().add(2, &[]);
/// assert_eq!(capture.metrics().value("orders", &[]), 2.0);
/// ```
#[cfg(feature = "testing")]
#[must_use]
pub fn capture_meter_provider(capture: &crate::testing::Capture) -> SdkMeterProvider {
    capture.meter_provider().clone()
}
