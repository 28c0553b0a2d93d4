//! The event `gen_ai.client.inference.operation.details` about a call of a model: the attributes of
//! its span, and its content in a structured form. By consent only.
//!
//! <https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md>

use crate::contain::contain;
use crate::gen_ai::content::is_content;
use crate::gen_ai::recorder::GenAiRecorder;
use crate::semconv::gen_ai::{self as g, operation};
use crate::semconv::{SCOPE, attribute as a, event};
use crate::unit::ending::SpanEnd;
use crate::unit::span::{RecordLimits, UnitSpan};
use crate::unit::span_facts::{AttributeRef, SpanFacts, keep_last};
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::trace::SpanContext;
use opentelemetry::{Array, Context, KeyValue, Value};
use opentelemetry_sdk::logs::SdkLogger;
use opentelemetry_sdk::trace::SpanData;
use serde_json::Value as Json;
use std::time::SystemTime;

/// Nesting limit of structured values. What is nested deeper is JSON text.
const MAX_DEPTH: usize = 12;

/// Emits the event about a unit that has ended, if it is a call of a model with content.
pub(crate) fn emit_unit(
    recorder: &GenAiRecorder,
    span: &mut UnitSpan,
    end: &SpanEnd,
    limits: &RecordLimits,
) {
    let Some(rare) = &mut span.rare else { return };
    let details = std::mem::take(&mut rare.details);
    if let Some(logger) = recorder.details().filter(|_| !details.is_empty()) {
        contain(|| {
            let attributes = attributes_of_unit(span, end, limits);
            if is_inference(&attributes) {
                let ended = SpanFacts { span, end: Some(end) }.ended();
                emit(logger, &span.context, ended, &attributes, &details);
            }
        });
    }
}

fn attributes_of_unit(span: &UnitSpan, end: &SpanEnd, limits: &RecordLimits) -> Vec<KeyValue> {
    let facts = SpanFacts { span, end: Some(end) };
    let mut collected = Vec::new();
    let sdk = span.rare.as_ref().and_then(|rare| rare.sdk.as_ref());
    // With span processors of the application, the SDK's span has what was set before the end.
    let mut attributes = match sdk.and_then(|sdk| sdk.exported_data()) {
        Some(data) => {
            facts.end_attributes(&mut collected);
            data.attributes
        }
        None => {
            facts.attributes(limits, &mut collected);
            Vec::new()
        }
    };
    attributes.extend(collected.into_iter().map(AttributeRef::to_key_value));
    keep_last(&mut attributes, |attribute| attribute.key.as_str());
    attributes
}

/// Returns the content of a span of another library, if it is a call of a model: taken before the
/// policy changes the span.
pub(crate) fn content_of_foreign(recorder: &GenAiRecorder, span: &SpanData) -> Vec<KeyValue> {
    let is_call = recorder.details().is_some()
        && span.span_context.is_sampled()
        && span.instrumentation_scope.name() != SCOPE
        && is_inference(&span.attributes);
    let content =
        span.attributes.iter().filter(|attribute| is_call && is_content(attribute.key.as_str()));
    content.filter_map(|attribute| recorder.content.admit(attribute.clone()).event).collect()
}

/// Emits the event about a call of a model by another library.
pub(crate) fn emit_foreign(recorder: &GenAiRecorder, span: &SpanData, content: &[KeyValue]) {
    if let Some(logger) = recorder.details().filter(|_| !content.is_empty()) {
        contain(|| {
            let is_of_call = |key: &str| {
                key == a::ERROR_TYPE || ["gen_ai.", "server."].iter().any(|it| key.starts_with(it))
            };
            let mut attributes = span.attributes.clone();
            attributes.retain(|attribute| is_of_call(attribute.key.as_str()));
            emit(logger, &span.span_context, span.end_time, &attributes, content);
        });
    }
}

fn is_inference(attributes: &[KeyValue]) -> bool {
    let operation = attributes.iter().find(|attribute| attribute.key.as_str() == g::OPERATION_NAME);
    operation.is_some_and(|operation| match &operation.value {
        Value::String(name) => operation::INFERENCE.contains(&name.as_str()),
        _ => false,
    })
}

fn emit(
    logger: &SdkLogger,
    span: &SpanContext,
    ended: SystemTime,
    attributes: &[KeyValue],
    content: &[KeyValue],
) {
    let mut record = logger.create_log_record();
    record.set_event_name(event::INFERENCE_DETAILS);
    record.set_timestamp(ended);
    record.set_severity_number(Severity::Debug);
    record.set_severity_text(Severity::Debug.name());
    record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
    for KeyValue { key, value, .. } in attributes {
        if !is_content(key.as_str()) {
            record.add_attribute(key.clone(), any_value(value));
        }
    }
    for KeyValue { key, value, .. } in content {
        record.add_attribute(key.clone(), structured(value));
    }
    // A context of its own: telemetry is suppressed where the shutdown ends a unit.
    let _attached = Context::new().attach();
    logger.emit(record);
}

fn any_value(value: &Value) -> AnyValue {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        Value::String(text) => text.clone().into(),
        Value::Array(Array::Bool(values)) => values.iter().copied().collect(),
        Value::Array(Array::I64(values)) => values.iter().copied().collect(),
        Value::Array(Array::F64(values)) => values.iter().copied().collect(),
        Value::Array(Array::String(values)) => values.iter().cloned().collect(),
        other => other.to_string().into(),
    }
}

/// Returns content that is JSON as the value that it is, other content as text.
fn structured(value: &Value) -> AnyValue {
    let Value::String(text) = value else { return any_value(value) };
    let is_json = text.as_str().trim_start().starts_with(['[', '{', '"']);
    match serde_json::from_str(text.as_str()) {
        Ok(json) if is_json => from_json(json, MAX_DEPTH),
        _ => any_value(value),
    }
}

fn from_json(json: Json, depth: usize) -> AnyValue {
    match json {
        Json::Array(_) | Json::Object(_) if depth == 0 => json.to_string().into(),
        Json::Array(items) => items.into_iter().map(|item| from_json(item, depth - 1)).collect(),
        Json::Object(members) => members
            .into_iter()
            // A value that is not set has no form here.
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, from_json(member, depth - 1)))
            .collect(),
        Json::String(text) => text.into(),
        Json::Bool(value) => value.into(),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Json::Null => "null".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::kv;

    fn map(members: impl IntoIterator<Item = (&'static str, AnyValue)>) -> AnyValue {
        members.into_iter().collect()
    }

    fn list(items: impl IntoIterator<Item = AnyValue>) -> AnyValue {
        items.into_iter().collect()
    }

    #[test]
    fn json_is_structured_and_text_stays_text() {
        let structured = |text: &str| structured(&kv("k", text.to_owned()).value);
        let json = r#"[{"a":1,"b":[1.5,true,null],"c":null,"d":"x"},18446744073709551615]"#;
        let members = [
            ("a", 1.into()),
            ("b", list([1.5.into(), true.into(), "null".into()])),
            ("d", "x".into()),
        ];
        assert_eq!(structured(json), list([map(members), 18_446_744_073_709_551_615_f64.into()]));
        assert_eq!(structured("\"quoted\""), "quoted".into());
        for text in ["", "12", "{broken", "plain"] {
            assert_eq!(structured(text), text.to_owned().into());
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_json_text() {
        let nested = format!("{}7{}", "[".repeat(MAX_DEPTH + 2), "]".repeat(MAX_DEPTH + 2));
        let mut value = structured(&kv("k", nested).value);
        for _ in 0..MAX_DEPTH {
            let AnyValue::ListAny(items) = value else { panic!("{value:?}") };
            value = items.into_iter().next().expect("an item");
        }
        assert_eq!(value, "[[7]]".into());
    }
}
