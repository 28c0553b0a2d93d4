//! Stored spans as spans of the test kit, which filters and renders them.

use super::record::Item;
use hub_otel::testing::{Event, Span, Spans, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, status::StatusCode};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, UNIX_EPOCH};

/// Converts the spans and removes duplicates.
pub(super) fn kit_spans(items: &[Item<otlp::Span>]) -> Spans {
    let mut ids = HashSet::new();
    items.iter().filter(|item| ids.insert(&item.span_id)).map(kit_span).collect()
}

/// Formats an id in hexadecimal.
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kit_span(item: &Item<otlp::Span>) -> Span {
    let mut span = Span::new(item.name.clone());
    span.scope.clone_from(&item.scope.name);
    span.kind = format!("{:?}", item.kind());
    let message = item.status.as_ref().map_or("", |status| status.message.as_str());
    span.status = match item.status.as_ref().map(otlp::Status::code) {
        None | Some(StatusCode::Unset) => "Unset".to_owned(),
        Some(StatusCode::Ok) => "Ok".to_owned(),
        Some(StatusCode::Error) => format!("Error: {message}"),
    };
    span.trace_id = hex(&item.trace_id);
    span.span_id = hex(&item.span_id);
    span.parent_id = hex(&item.parent_span_id);
    span.attributes = attributes(&item.attributes);
    span.events = item
        .events
        .iter()
        .map(|event| {
            let mut converted = Event::new(event.name.clone());
            converted.attributes = attributes(&event.attributes);
            converted
        })
        .collect();
    span.links = item.links.iter().map(|link| hex(&link.span_id)).collect();
    span.start = UNIX_EPOCH + Duration::from_nanos(item.start_time_unix_nano);
    span.end = UNIX_EPOCH + Duration::from_nanos(item.end_time_unix_nano);
    span
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, Value> {
    let converted = |pair: &KeyValue| Some((pair.key.clone(), value(pair.value.as_ref()?)));
    attributes.iter().filter_map(converted).collect()
}

fn value(value: &AnyValue) -> Value {
    match &value.value {
        Some(any_value::Value::BoolValue(value)) => Value::Bool(*value),
        Some(any_value::Value::IntValue(value)) => Value::Int(*value),
        Some(any_value::Value::DoubleValue(value)) => Value::Float(*value),
        Some(any_value::Value::StringValue(value)) => Value::String(value.clone()),
        Some(any_value::Value::ArrayValue(array)) => {
            Value::Array(array.values.iter().map(self::value).collect())
        }
        other => Value::String(format!("{other:?}")),
    }
}
