//! Every name that hub-otel emits: spans, attributes, events, metrics, labels, units, buckets, status values.
//!
//! The table exists once, here, as plain `const` items. The runtime builds its instruments *from* it; the tests, the
//! dashboards, the alert rules and `docs/telemetry.md` are derived from it or checked against it. A telemetry name that
//! is spelled anywhere else is a bug.

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

/// The name of the instrumentation scope of everything that this library records itself.
pub const SCOPE: &str = "hub_otel";

/// The one place that makes an attribute: its key comes from this contract, or from the user's own code.
#[expect(clippy::disallowed_methods, reason = "the home of `KeyValue::new`")]
pub fn kv(key: impl Into<Key>, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(key, value)
}
