//! Captured spans, their events and attribute values.

use opentelemetry::Array;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanId;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::trace::SpanData;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

/// Ended span.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// hub_otel::workflow("nightly").field("customer", "acme").run(async {}).await;
/// let spans = capture.spans();
/// let span = spans.named("workflow.execute")[0];
/// assert_eq!(span.status, "Ok");
/// assert_eq!(span.text("customer"), "acme");
/// assert_eq!(span.parent_id, "");
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// Span name.
    pub name: String,
    /// Name of the instrumentation scope, which is that of the tracer.
    pub scope: String,
    /// Span kind: `Internal`, `Server`, `Client`, `Producer` or `Consumer`.
    pub kind: String,
    /// Status: `Unset`, `Ok`, or `Error: ` and the description.
    pub status: String,
    /// Trace id in hexadecimal.
    pub trace_id: String,
    /// Span id in hexadecimal.
    pub span_id: String,
    /// Span id of the parent; empty for a root.
    pub parent_id: String,
    /// Attributes by key.
    pub attributes: BTreeMap<String, Value>,
    /// Events in the order in which they were recorded.
    pub events: Vec<Event>,
    /// Span ids of the linked spans.
    pub links: Vec<String>,
    /// Start time.
    pub start: SystemTime,
    /// End time.
    pub end: SystemTime,
    /// Attribute keys that occur more than once, which OTLP forbids.
    pub(super) repeated_keys: Vec<String>,
}

/// Event of a span.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// let failing = async { Err::<(), _>(std::io::Error::other("disk full")) };
/// let _ = hub_otel::workflow("nightly").run(failing).await;
/// let spans = capture.spans();
/// let event = &spans.named("workflow.execute")[0].events[0];
/// assert_eq!(event.name, "exception");
/// assert_eq!(event.attributes["exception.message"].to_string(), "disk full");
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Event name.
    pub name: String,
    /// Attributes by key.
    pub attributes: BTreeMap<String, Value>,
}

/// Attribute value, by its OpenTelemetry type.
///
/// ```
/// use hub_otel::testing::Value;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// hub_otel::workflow("nightly").field("items", 7).run(async {}).await;
/// let spans = capture.spans();
/// assert_eq!(spans.named("workflow.execute")[0].attributes["items"], Value::Int(7));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Signed 64-bit integer.
    Int(i64),
    /// Double.
    Float(f64),
    /// String.
    String(String),
    /// Array.
    Array(Vec<Value>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::String(value) => f.write_str(value),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    match item {
                        Self::String(item) => write!(f, "{separator}{item:?}")?,
                        item => write!(f, "{separator}{item}")?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

impl Value {
    fn from_otel(value: &opentelemetry::Value) -> Self {
        match value {
            opentelemetry::Value::Bool(value) => Self::Bool(*value),
            opentelemetry::Value::I64(value) => Self::Int(*value),
            opentelemetry::Value::F64(value) => Self::Float(*value),
            opentelemetry::Value::Array(Array::Bool(items)) => {
                Self::Array(items.iter().map(|item| Self::Bool(*item)).collect())
            }
            opentelemetry::Value::Array(Array::I64(items)) => {
                Self::Array(items.iter().map(|item| Self::Int(*item)).collect())
            }
            opentelemetry::Value::Array(Array::F64(items)) => {
                Self::Array(items.iter().map(|item| Self::Float(*item)).collect())
            }
            opentelemetry::Value::Array(Array::String(items)) => {
                Self::Array(items.iter().map(|item| Self::String(item.to_string())).collect())
            }
            // Strings, and types that a later version of OpenTelemetry adds.
            other => Self::String(other.to_string()),
        }
    }
}

/// Attributes by key, and the keys that occur more than once.
fn attribute_map(attributes: &[KeyValue]) -> (BTreeMap<String, Value>, Vec<String>) {
    let mut repeated_keys = Vec::new();
    let mut map = BTreeMap::new();
    for attribute in attributes {
        let value = Value::from_otel(&attribute.value);
        if map.insert(attribute.key.to_string(), value).is_some() {
            repeated_keys.push(attribute.key.to_string());
        }
    }
    (map, repeated_keys)
}

impl Span {
    /// Creates an internal root span with this name and nothing else.
    ///
    /// For tests that get their spans by another way than a [`Capture`](crate::testing::Capture),
    /// for example from an OTLP receiver, and render them with [`Spans`](crate::testing::Spans).
    ///
    /// ```
    /// use hub_otel::testing::{Span, Spans};
    ///
    /// let mut parent = Span::new("parent");
    /// parent.span_id = "1".to_owned();
    /// let mut child = Span::new("child");
    /// child.parent_id = "1".to_owned();
    /// assert_eq!(Spans::from_iter([parent, child]).names(), "parent\n  child\n");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scope: String::new(),
            kind: "Internal".to_owned(),
            status: "Unset".to_owned(),
            trace_id: String::new(),
            span_id: String::new(),
            parent_id: String::new(),
            attributes: BTreeMap::new(),
            events: Vec::new(),
            links: Vec::new(),
            start: SystemTime::UNIX_EPOCH,
            end: SystemTime::UNIX_EPOCH,
            repeated_keys: Vec::new(),
        }
    }

    pub(super) fn from_data(data: &SpanData) -> Self {
        let (attributes, repeated_keys) = attribute_map(&data.attributes);
        let trace_id = data.span_context.trace_id();
        Self {
            name: data.name.to_string(),
            scope: data.instrumentation_scope.name().to_owned(),
            kind: format!("{:?}", data.span_kind),
            status: match &data.status {
                Status::Unset => "Unset".to_owned(),
                Status::Ok => "Ok".to_owned(),
                Status::Error { description } => format!("Error: {description}"),
            },
            trace_id: if trace_id == TraceId::INVALID {
                String::new()
            } else {
                trace_id.to_string()
            },
            span_id: hex(data.span_context.span_id()),
            parent_id: hex(data.parent_span_id),
            attributes,
            events: data
                .events
                .iter()
                .map(|event| Event {
                    name: event.name.to_string(),
                    attributes: attribute_map(&event.attributes).0,
                })
                .collect(),
            links: data.links.iter().map(|link| hex(link.span_context.span_id())).collect(),
            start: data.start_time,
            end: data.end_time,
            repeated_keys,
        }
    }

    /// Returns an attribute as text; empty if the attribute is missing.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        self.attributes.get(key).map(Value::to_string).unwrap_or_default()
    }
}

impl Event {
    /// Creates an event without attributes.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), attributes: BTreeMap::new() }
    }
}

fn hex(id: SpanId) -> String {
    if id == SpanId::INVALID { String::new() } else { id.to_string() }
}
