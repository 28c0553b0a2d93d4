//! Values of OTLP as text.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// Returns a value as text.
pub(super) fn to_text(value: &AnyValue) -> String {
    let Some(value) = &value.value else { return String::new() };
    match value {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) => value.to_string(),
        Value::BytesValue(bytes) => format!("{} bytes", bytes.len()),
        Value::ArrayValue(list) => {
            let items: Vec<String> = list.values.iter().map(to_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::KvlistValue(list) => {
            let entry = |entry: &KeyValue| {
                let value = entry.value.as_ref().map(to_text).unwrap_or_default();
                format!("{}={value}", entry.key)
            };
            let entries: Vec<String> = list.values.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        // String table references are of profiles only.
        _ => String::new(),
    }
}
