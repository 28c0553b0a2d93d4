//! Types of the SDK, and their replacements without it.

/// The tracer of the boundaries, and its span.
#[cfg(feature = "sdk")]
pub(crate) use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

/// Without the SDK no instance exists: the types of the API stand in, so that units compile.
#[cfg(not(feature = "sdk"))]
pub(crate) use opentelemetry::trace::noop::{NoopSpan as SdkSpan, NoopTracer as SdkTracer};
