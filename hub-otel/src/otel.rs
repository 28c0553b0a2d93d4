//! Escape hatch: OpenTelemetry's own types, as this library uses them.
//!
//! Rule of versions: the types of this module follow the 0.x versions of `opentelemetry`,
//! `opentelemetry_sdk` and `tracing-subscriber`. An upgrade of one of them is a breaking change of
//! this module, listed in the CHANGELOG, and only a minor version of the rest of the crate. Outside
//! this module and the integration modules (`http`, `db`) no public signature has a type of these
//! crates; the sealed traits [`IntoParent`](crate::IntoParent), [`IntoLink`](crate::IntoLink) and
//! [`AttributeValue`](crate::AttributeValue) are implemented for some of their types.
//!
//! [`TelemetryBuilderExt`] adds SDK components of the application to a builder: processors,
//! exporters, readers, views, a sampler, an id generator, detectors, propagators.
//!
//! Deliver with [`Telemetry::flush`](crate::Telemetry::flush): `force_flush` of a provider requests
//! a delivery and does not wait for it.
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

pub use crate::export::metrics::isolated_meters::IsolatedMeterProvider;
pub use crate::semconv::key_value::kv;
pub use opentelemetry;
pub use opentelemetry_sdk;

pub use crate::telemetry::builder::extend::TelemetryBuilderExt;
pub use crate::telemetry::subscriber::with_ids::WithIds;

use crate::Sensitive;
use crate::Telemetry;
use crate::propagation::RemoteContext;
use crate::telemetry::redaction::REDACTED;
use crate::telemetry::subscriber::Exported;
use opentelemetry::{Context, Value};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Returns the provider of tracers of `telemetry`. If telemetry is disabled, it records nothing.
#[must_use]
pub fn tracer_provider(telemetry: &Telemetry) -> SdkTracerProvider {
    let off = || SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    telemetry.handle().map_or_else(off, |handle| handle.pipeline.tracer_provider.clone())
}

/// Returns the provider of meters of `telemetry`. If telemetry is disabled, it has no reader.
///
/// A callback of an observable instrument has a few seconds per collection. One that panics or does
/// not return loses its own metric; see `docs/reliability.md`.
#[must_use]
pub fn meter_provider(telemetry: &Telemetry) -> IsolatedMeterProvider {
    let off =
        || IsolatedMeterProvider::new(SdkMeterProvider::builder().build(), Default::default());
    telemetry.handle().map_or_else(off, |handle| handle.pipeline.meter_provider.clone())
}

/// Returns the provider of loggers of `telemetry`. If no log record is exported, it has no
/// processor.
#[must_use]
pub fn logger_provider(telemetry: &Telemetry) -> SdkLoggerProvider {
    let off = || SdkLoggerProvider::builder().build();
    telemetry
        .handle()
        .and_then(|handle| handle.pipeline.logger_provider.clone())
        .unwrap_or_else(off)
}

/// Returns a layer that exports `tracing` spans (feature `tracing`) and events (feature `logs`).
///
/// For a subscriber of the application.
///
/// Not needed if the application sets no subscriber: [`Telemetry::install`] sets one. The layer is
/// of `tracing-subscriber` 0.3. Spans nest with units in both directions; a unit is
/// `Span::current()` inside of it, as a span `hub_otel.unit` that the application's other layers
/// see too.
///
/// The layer contains the one of tracing-opentelemetry 0.34, of which a subscriber can have only
/// one: a second one panics at the first span. Use [`log_layer`] beside a bridge of your own.
///
/// ```no_run
/// use hub_otel::otel::tracing_layer;
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let telemetry = hub_otel::Telemetry::builder().default_service_name("scanner").build()?;
/// tracing_subscriber::registry()
///     .with(tracing_layer(&telemetry))
///     .with(tracing_subscriber::fmt::layer())
///     .init();
/// telemetry.install()?;
/// # Ok(())
/// # }
/// ```
pub fn tracing_layer<S>(telemetry: &Telemetry) -> impl Layer<S> + Send + Sync + use<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    telemetry.tracing_layer(Exported::SpansAndEvents)
}

/// Returns a layer that exports `tracing` events as log records (feature `logs`), and no spans.
///
/// For a subscriber of the application with a layer of tracing-opentelemetry of its own; otherwise
/// use [`tracing_layer`].
///
/// ```
/// use hub_otel::otel::log_layer;
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> Result<(), hub_otel::InitError> {
/// # let telemetry =
/// #     hub_otel::Telemetry::builder().env_source([("OTEL_SDK_DISABLED", "true")]).build()?;
/// let subscriber = tracing_subscriber::registry().with(log_layer(&telemetry));
/// # let _ = subscriber;
/// # Ok(())
/// # }
/// ```
pub fn log_layer<S>(telemetry: &Telemetry) -> impl Layer<S> + Send + Sync + use<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    telemetry.tracing_layer(Exported::Events)
}

/// Wraps an event format, so that each line has `trace_id`, `span_id` and `workflow.run.id`.
///
/// For a subscriber of the application that writes JSON: the ids are members of each object. A line
/// of another format has them as fields at its end, and no colours. Outside of spans and runs a
/// line is unchanged. The format is of `tracing-subscriber` 0.3.
///
/// ```
/// let json = tracing_subscriber::fmt().map_event_format(hub_otel::otel::with_ids);
/// # let _ = json;
/// ```
pub const fn with_ids<F>(format: F) -> WithIds<F> {
    WithIds::new(format)
}

/// The value of a secret is `[REDACTED]`.
impl<T> From<Sensitive<T>> for Value {
    fn from(_: Sensitive<T>) -> Self {
        Self::from(REDACTED)
    }
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
