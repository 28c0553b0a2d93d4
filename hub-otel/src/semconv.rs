//! Telemetry contract: the names of all spans, attributes, events, metrics and labels that hub-otel
//! emits, with units, buckets and status values.
//!
//! Each name is defined once, as a `const` item. The runtime builds its instruments from these
//! definitions; the dashboards, the alert rules, `docs/telemetry.md` and the tests are generated
//! from them or checked against them. A telemetry name or a closed value that is spelled in any
//! other module is a bug.
//!
//! | content | module |
//! |---|---|
//! | keys | [`attribute`], [`attribute::label`], [`gen_ai`] |
//! | definitions | [`METRICS`] and [`metric`], [`SPANS`] and [`span`], [`event`] |
//! | values of units | [`status`], [`decision`], [`error_type`] |
//! | values of the export | [`result`], [`drop_reason`], [`failure_reason`] |
//! | other values | [`value`] |

pub mod attribute;
pub mod decision;
pub mod drop_reason;
pub mod error_type;
pub mod event;
pub mod failure_reason;
pub mod gen_ai;
pub(crate) mod key_value;
pub mod metric;
pub mod result;
pub mod span;
pub mod status;
pub mod value;

pub(crate) use crate::semconv::key_value::kv;
#[doc(inline)]
pub use crate::semconv::metric::{InstrumentKind, METRICS, Metric, Stability};
#[doc(inline)]
pub use crate::semconv::span::{AttributeType, RequirementLevel, SPANS, Span, SpanAttribute};

/// Name of the instrumentation scope of all telemetry that the library itself records.
pub const SCOPE: &str = "hub_otel";

/// Returns the scope of everything that the library records, with its version.
#[cfg(feature = "sdk")]
pub(crate) fn library_scope() -> opentelemetry::InstrumentationScope {
    opentelemetry::InstrumentationScope::builder(SCOPE)
        .with_version(env!("CARGO_PKG_VERSION"))
        .build()
}

/// Target of the library's own diagnostics in `tracing`: the lines that begin with
/// `[OpenTelemetry]`. Never exported.
pub const DIAGNOSTICS_TARGET: &str = "hub_otel::diagnostics";

/// Name of the instrumentation scope of the spans of the `tracing` crate.
pub const TRACING_SCOPE: &str = "tracing";

/// Name of the `tracing` span that represents a unit in the application's subscriber. Its target is
/// [`SCOPE`]. Never exported: the unit's own span is.
pub const UNIT_SPAN: &str = "hub_otel.unit";
/// Name of the `tracing` span that represents the span of an HTTP request.
pub const REQUEST_SPAN: &str = "hub_otel.request";
