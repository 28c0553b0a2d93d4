//! Telemetry contract: the names of all spans, attributes, events, metrics and labels that hub-otel
//! emits, with units, buckets and status values.
//!
//! Each name is defined once, as a `const` item. The runtime builds its instruments from these
//! definitions; the dashboards, the alert rules, `docs/telemetry.md` and the tests are generated
//! from them or checked against them. A telemetry name spelled in any other module is a bug.

pub mod attribute;
pub mod event;
pub mod gen_ai;
pub mod instrumentation;
pub mod metric;
pub mod original;
pub mod span;
pub mod status;

pub use crate::semconv::metric::{Kind, METRICS, Metric};
pub use crate::semconv::span::{Requirement, SPANS, Span, SpanAttribute, Type};

use opentelemetry::Key;
use opentelemetry::KeyValue;
use opentelemetry::Value;

/// Name of the instrumentation scope of all telemetry that the library itself records.
pub const SCOPE: &str = "hub_otel";

/// Creates an attribute. The key is a constant of this contract or a name given by the user.
///
/// `clippy.toml` disallows `KeyValue::new` in all other places.
#[expect(clippy::disallowed_methods, reason = "the only permitted use of `KeyValue::new`")]
pub fn kv(key: impl Into<Key>, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(key, value)
}
