//! Requests of OTLP as spans of the SDK, within the limits of one span.

use crate::config::sampler::ValueLimit;
use crate::export::encode::redact_wire_attributes;
use crate::export::limits::{MAX_VALUE_BYTES, limit_span};
use crate::live::row::cut;
use crate::live::wire_text::to_text;
use crate::telemetry::redaction::DenyList;
use bytes::Bytes;
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope as WireScope, KeyValue as WireKeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as WireKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Size limit of one encoded span, resource or scope. The limits of the content apply after its
/// decoding.
const MAX_PART: usize = 1024 * 1024;
/// Size limit of a body of JSON, which is decoded as a whole.
const MAX_JSON: usize = 1024 * 1024;
/// Longest name of a scope in characters.
const MAX_SCOPE: usize = 120;
/// Longest trace state in bytes (W3C Trace Context, "tracestate Limits").
const MAX_TRACE_STATE: usize = 512;

/// The spans of one resource in the order of their starts.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) resource: WireResource,
    pub(super) spans: Vec<SpanData>,
    /// Spans without valid ids, or over the limit.
    pub(super) invalid: usize,
}

// The messages of OTLP with encoded parts: a small body may contain millions of empty messages,
// which would take a hundred times its size if they were decoded at once.

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    resource_spans: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(bytes = "bytes", tag = "1")]
    resource: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    scope_spans: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(bytes = "bytes", tag = "1")]
    scope: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    spans: Vec<Bytes>,
}

/// Decodes a request of protobuf.
///
/// # Errors
/// The body is not one, with the reason of the decoder.
pub(super) fn decode_protobuf(body: &Bytes, deny: &DenyList) -> Result<Vec<Received>, String> {
    let request: Request = part(body.clone())?;
    let mut all = Vec::new();
    for encoded in request.resource_spans {
        let ResourceSpans { resource, scope_spans } = part(encoded)?;
        let mut received = Received::new(small_part(resource)?.unwrap_or_default());
        for encoded in scope_spans {
            let ScopeSpans { scope, spans } = part(encoded)?;
            let scope = sdk_scope(small_part(scope)?.unwrap_or_default());
            for span in spans {
                match small_part(span)? {
                    Some(span) => received.add(span, &scope, deny),
                    None => received.invalid += 1,
                }
            }
        }
        all.extend(received.sorted());
    }
    Ok(all)
}

fn part<M: Message + Default>(encoded: Bytes) -> Result<M, String> {
    M::decode(encoded).map_err(|error| error.to_string())
}

/// Decodes a part within its limit. `None` for a larger one.
fn small_part<M: Message + Default>(encoded: Bytes) -> Result<Option<M>, String> {
    if encoded.len() > MAX_PART { Ok(None) } else { part(encoded).map(Some) }
}

/// Decodes a request of JSON.
///
/// # Errors
/// The body is not one, with the reason of the decoder, or it is too large.
pub(super) fn decode_json(body: &Bytes, deny: &DenyList) -> Result<Vec<Received>, String> {
    if body.len() > MAX_JSON {
        return Err(format!("JSON of more than {MAX_JSON} bytes; use http/protobuf"));
    }
    let request: ExportTraceServiceRequest =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for part in request.resource_spans {
        let mut received = Received::new(part.resource.unwrap_or_default());
        for part in part.scope_spans {
            let scope = sdk_scope(part.scope.unwrap_or_default());
            part.spans.into_iter().for_each(|span| received.add(span, &scope, deny));
        }
        all.extend(received.sorted());
    }
    Ok(all)
}

impl Received {
    fn new(resource: WireResource) -> Self {
        Self { resource, spans: Vec::new(), invalid: 0 }
    }

    fn add(&mut self, span: WireSpan, scope: &InstrumentationScope, deny: &DenyList) {
        match span_data(span, scope, deny) {
            Some(mut span) => {
                limit_span(&mut span, ValueLimit::Bytes(MAX_VALUE_BYTES));
                self.spans.push(span);
            }
            None => self.invalid += 1,
        }
    }

    /// Sorts the spans by their starts. `None` if there is none.
    fn sorted(mut self) -> Option<Self> {
        self.spans.sort_by_key(|span| span.start_time);
        (!self.spans.is_empty() || self.invalid > 0).then_some(self)
    }
}

fn sdk_scope(scope: WireScope) -> InstrumentationScope {
    InstrumentationScope::builder(cut(&scope.name, MAX_SCOPE)).build()
}

/// Returns the span of the SDK. `None` without valid ids.
fn span_data(span: WireSpan, scope: &InstrumentationScope, deny: &DenyList) -> Option<SpanData> {
    let span_context = context(&span.trace_id, &span.span_id, span.flags, &span.trace_state)?;
    let parent_span_id = match span.parent_span_id.as_slice() {
        [] => SpanId::INVALID,
        id => SpanId::from_bytes(id.try_into().ok()?),
    };
    let span_kind = match span.kind() {
        WireKind::Server => SpanKind::Server,
        WireKind::Client => SpanKind::Client,
        WireKind::Producer => SpanKind::Producer,
        WireKind::Consumer => SpanKind::Consumer,
        WireKind::Internal | WireKind::Unspecified => SpanKind::Internal,
    };
    let attributes = |list| attributes(list, deny);
    let mut events = SpanEvents::default();
    events.dropped_count = span.dropped_events_count;
    events.events.extend(span.events.into_iter().map(|event| {
        let (at, attributes) = (time(event.time_unix_nano), attributes(event.attributes));
        Event::new(event.name, at, attributes, event.dropped_attributes_count)
    }));
    let mut links = SpanLinks::default();
    links.dropped_count = span.dropped_links_count;
    links.links.extend(span.links.into_iter().filter_map(|link| {
        let context = context(&link.trace_id, &link.span_id, link.flags, &link.trace_state)?;
        Some(Link::new(context, attributes(link.attributes), link.dropped_attributes_count))
    }));
    let status = span.status.unwrap_or_default();
    let start_time = time(span.start_time_unix_nano);
    Some(SpanData {
        span_context,
        parent_span_id,
        parent_span_is_remote: false,
        span_kind,
        name: span.name.into(),
        start_time,
        // The clock of the sender may have been set back meanwhile.
        end_time: time(span.end_time_unix_nano).max(start_time),
        attributes: attributes(span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events,
        links,
        status: match status.code() {
            StatusCode::Unset => Status::Unset,
            StatusCode::Ok => Status::Ok,
            StatusCode::Error => Status::error(status.message),
        },
        instrumentation_scope: scope.clone(),
    })
}

fn context(trace: &[u8], span: &[u8], flags: u32, state: &str) -> Option<SpanContext> {
    let trace = TraceId::from_bytes(trace.try_into().ok()?);
    let span = SpanId::from_bytes(span.try_into().ok()?);
    let state = Some(state).filter(|state| state.len() <= MAX_TRACE_STATE);
    let state = state.and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    let flags = TraceFlags::new(flags.to_le_bytes()[0]);
    let context = SpanContext::new(trace, span, flags, false, state);
    context.is_valid().then_some(context)
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Returns attributes without secrets.
#[expect(clippy::disallowed_methods, reason = "the keys are those of the sender")]
fn attributes(mut attributes: Vec<WireKeyValue>, deny: &DenyList) -> Vec<KeyValue> {
    // Here, because nested values become texts.
    redact_wire_attributes(&mut attributes, deny);
    let attributes = attributes.into_iter();
    attributes.filter_map(|it| Some(KeyValue::new(it.key, value(it.value?)))).collect()
}

/// Returns a value of the SDK, which has no nested ones: those become texts.
fn value(any: AnyValue) -> Value {
    let text = |any: &AnyValue| Value::from(to_text(any));
    match any.value {
        Some(Wire::StringValue(text)) => text.into(),
        Some(Wire::BoolValue(value)) => value.into(),
        Some(Wire::IntValue(value)) => value.into(),
        Some(Wire::DoubleValue(value)) => value.into(),
        Some(Wire::ArrayValue(ref list)) => array(&list.values).unwrap_or_else(|| text(&any)),
        _ => text(&any),
    }
}

/// Returns an array whose items have one type.
fn array(items: &[AnyValue]) -> Option<Value> {
    fn all<T>(items: &[AnyValue], item: impl Fn(&Wire) -> Option<T>) -> Option<Vec<T>> {
        items.iter().map(|any| item(any.value.as_ref()?)).collect()
    }
    let texts = all(items, |item| match item {
        Wire::StringValue(text) => Some(StringValue::from(text.clone())),
        _ => None,
    });
    let integers = || {
        all(items, |item| match item {
            Wire::IntValue(value) => Some(*value),
            _ => None,
        })
    };
    let numbers = || {
        all(items, |item| match item {
            Wire::DoubleValue(value) => Some(*value),
            _ => None,
        })
    };
    let booleans = || {
        all(items, |item| match item {
            Wire::BoolValue(value) => Some(*value),
            _ => None,
        })
    };
    let array = texts.map(Array::String);
    let array = array.or_else(|| integers().map(Array::I64));
    let array = array.or_else(|| numbers().map(Array::F64));
    array.or_else(|| booleans().map(Array::Bool)).map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans as WireResourceSpans, ScopeSpans};

    fn text(key: &str, length: usize) -> WireKeyValue {
        let value = Some(AnyValue { value: Some(Wire::StringValue("x".repeat(length))) });
        WireKeyValue { key: key.to_owned(), value, ..WireKeyValue::default() }
    }

    fn span(attributes: Vec<WireKeyValue>) -> WireSpan {
        WireSpan { trace_id: vec![1; 16], span_id: vec![1; 8], attributes, ..WireSpan::default() }
    }

    fn decode(resource: WireResource, scope: WireScope, spans: Vec<WireSpan>) -> Vec<Received> {
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource_spans = vec![WireResourceSpans {
            resource: Some(resource),
            scope_spans,
            ..WireResourceSpans::default()
        }];
        let request = ExportTraceServiceRequest { resource_spans };
        decode_protobuf(&request.encode_to_vec().into(), &DenyList::default()).expect("valid")
    }

    #[test]
    fn parts_over_the_limit_are_left_out_and_the_other_ones_are_cut() {
        let resource =
            WireResource { attributes: vec![text("long", MAX_PART)], ..WireResource::default() };
        let scope = WireScope { name: "s".repeat(MAX_PART / 2), ..WireScope::default() };
        let spans = vec![
            span(vec![text("long", MAX_PART)]),
            WireSpan { trace_state: "k=v,".repeat(1_000), ..span(vec![text("long", 500_000)]) },
        ];
        let all = decode(resource, scope, spans);
        let [received] = all.as_slice() else { panic!("{} resources", all.len()) };
        assert_eq!((received.resource.attributes.len(), received.invalid), (0, 1));
        let [span] = received.spans.as_slice() else { panic!("{} spans", received.spans.len()) };
        assert!(span.instrumentation_scope.name().len() < 130);
        assert_eq!(span.span_context.trace_state().header(), "");
        assert!(span.attributes[0].value.as_str().len() <= MAX_VALUE_BYTES);
    }

    #[test]
    fn truncated_and_foreign_bodies_are_errors_or_empty() {
        let body = ExportTraceServiceRequest {
            resource_spans: vec![WireResourceSpans {
                scope_spans: vec![ScopeSpans {
                    spans: vec![span(vec![text("key", 10)])],
                    ..ScopeSpans::default()
                }],
                ..WireResourceSpans::default()
            }],
        };
        let body = Bytes::from(body.encode_to_vec());
        let deny = DenyList::default();
        for end in 1..body.len() {
            assert!(decode_protobuf(&body.slice(..end), &deny).is_err(), "{end}");
        }
        assert!(decode_protobuf(&Bytes::new(), &deny).expect("valid").is_empty());
        // Empty messages: two bytes each.
        let many = Bytes::from([0x0a, 0x00].repeat(100_000));
        assert!(decode_protobuf(&many, &deny).expect("valid").is_empty());
    }
}
