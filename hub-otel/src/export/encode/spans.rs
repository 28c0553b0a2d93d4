//! The OTLP encoding of spans, written directly from the SDK's data.
//!
//! The official way (`opentelemetry-proto` messages, encoded by prost) copies each text twice and
//! costs seven times as much. The bytes are equal; the tests below compare them.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>

use crate::export::encode::is_text;
use crate::export::encode::protobuf::ProtobufWriter;
use crate::telemetry::redaction::{DenyList, REDACTED};
use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use rustc_hash::FxHashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`.
const HAS_IS_REMOTE: u32 = 0x100;
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
const IS_REMOTE: u32 = 0x200;

/// Estimated encoded size of a span, for the first allocation.
const ESTIMATED_SPAN_BYTES: usize = 512;

/// Encodes an `ExportTraceServiceRequest`. Spans are grouped by their instrumentation scope, in the
/// order of the first span of each.
pub(super) fn encode(spans: &[SpanData], resource: &Resource, deny: &DenyList) -> Vec<u8> {
    let mut encoder = SpanEncoder {
        writer: ProtobufWriter::with_capacity(spans.len() * ESTIMATED_SPAN_BYTES),
        redaction: KeyRedaction { deny, verdicts: FxHashMap::default() },
    };
    encoder.resource_spans(spans, resource);
    encoder.writer.into_bytes()
}

fn group_by_scope(spans: &[SpanData]) -> Vec<(&InstrumentationScope, Vec<&SpanData>)> {
    let mut groups: Vec<(&InstrumentationScope, Vec<&SpanData>)> = Vec::new();
    for span in spans {
        let scope = &span.instrumentation_scope;
        match groups.iter_mut().find(|(group, _)| *group == scope) {
            Some((_, group)) => group.push(span),
            None => groups.push((scope, vec![span])),
        }
    }
    groups
}

/// The deny-list with its results for the keys of one batch, which are few and repeat.
struct KeyRedaction<'a> {
    deny: &'a DenyList,
    verdicts: FxHashMap<&'a str, bool>,
}

impl<'a> KeyRedaction<'a> {
    fn redacts(&mut self, key: &'a str) -> bool {
        *self.verdicts.entry(key).or_insert_with(|| self.deny.redacts(key))
    }
}

struct SpanEncoder<'a> {
    writer: ProtobufWriter,
    redaction: KeyRedaction<'a>,
}

impl<'a> SpanEncoder<'a> {
    fn resource_spans(&mut self, spans: &'a [SpanData], resource: &Resource) {
        let resource_spans = self.writer.begin_message(1);
        let message = self.writer.begin_message(1);
        for (key, value) in resource {
            let attribute = self.writer.begin_message(1);
            self.key_value(key.as_str(), value);
            self.writer.end_message(attribute);
        }
        self.writer.end_message(message);
        for (scope, spans) in group_by_scope(spans) {
            let scope_spans = self.writer.begin_message(2);
            self.scope(scope);
            for span in spans {
                self.span(span);
            }
            self.writer.string(3, scope.schema_url().unwrap_or_default());
            self.writer.end_message(scope_spans);
        }
        self.writer.string(3, resource.schema_url().unwrap_or_default());
        self.writer.end_message(resource_spans);
    }

    fn scope(&mut self, scope: &InstrumentationScope) {
        let message = self.writer.begin_message(1);
        self.writer.string(1, scope.name());
        self.writer.string(2, scope.version().unwrap_or_default());
        for attribute in scope.attributes() {
            let message = self.writer.begin_message(3);
            self.key_value(attribute.key.as_str(), &attribute.value);
            self.writer.end_message(message);
        }
        self.writer.end_message(message);
    }

    fn span(&mut self, span: &'a SpanData) {
        let message = self.writer.begin_message(2);
        self.span_ids(&span.span_context);
        if span.parent_span_id != SpanId::INVALID {
            self.writer.byte_array(4, span.parent_span_id.to_bytes());
        }
        self.writer.string(5, &span.name);
        self.writer.uint32(6, kind_number(&span.span_kind));
        self.writer.fixed64(7, unix_nanos(span.start_time));
        self.writer.fixed64(8, unix_nanos(span.end_time));
        self.attributes(9, &span.attributes);
        self.writer.uint32(10, span.dropped_attributes_count);
        for event in &span.events.events {
            self.event(event);
        }
        self.writer.uint32(12, span.events.dropped_count);
        for link in &span.links.links {
            self.link(link);
        }
        self.writer.uint32(14, span.links.dropped_count);
        self.status(&span.status);
        self.writer.fixed32(16, span_flags(&span.span_context, span.parent_span_is_remote));
        self.writer.end_message(message);
    }

    fn span_ids(&mut self, context: &SpanContext) {
        self.writer.byte_array(1, context.trace_id().to_bytes());
        self.writer.byte_array(2, context.span_id().to_bytes());
        self.writer.string(3, &context.trace_state().header());
    }

    fn event(&mut self, event: &'a Event) {
        let message = self.writer.begin_message(11);
        self.writer.fixed64(1, unix_nanos(event.timestamp));
        self.writer.string(2, &event.name);
        self.attributes(3, &event.attributes);
        self.writer.uint32(4, event.dropped_attributes_count);
        self.writer.end_message(message);
    }

    fn link(&mut self, link: &'a Link) {
        let message = self.writer.begin_message(13);
        let context = &link.span_context;
        self.span_ids(context);
        self.attributes(4, &link.attributes);
        self.writer.uint32(5, link.dropped_attributes_count);
        self.writer.fixed32(6, span_flags(context, context.is_remote()));
        self.writer.end_message(message);
    }

    fn status(&mut self, status: &Status) {
        let message = self.writer.begin_message(15);
        match status {
            Status::Unset => {}
            Status::Ok => self.writer.uint32(3, 1),
            Status::Error { description } => {
                self.writer.string(2, description);
                self.writer.uint32(3, 2);
            }
        }
        self.writer.end_message(message);
    }

    /// Writes the attributes as fields with the number `field`. Secret values are redacted.
    fn attributes(&mut self, field: u32, attributes: &'a [KeyValue]) {
        for KeyValue { key, value, .. } in attributes {
            let message = self.writer.begin_message(field);
            if is_text(value) && self.redaction.redacts(key.as_str()) {
                self.key_value(key.as_str(), &Value::from(REDACTED));
            } else {
                self.key_value(key.as_str(), value);
            }
            self.writer.end_message(message);
        }
    }

    fn key_value(&mut self, key: &str, value: &Value) {
        self.writer.string(1, key);
        let message = self.writer.begin_message(2);
        self.value(value);
        self.writer.end_message(message);
    }

    /// Writes the member of an `AnyValue`.
    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.writer.required_string(1, text.as_str()),
            Value::Bool(value) => self.writer.required_int64(2, i64::from(*value)),
            Value::I64(value) => self.writer.required_int64(3, *value),
            Value::F64(value) => self.writer.required_double(4, *value),
            Value::Array(array) => {
                let message = self.writer.begin_message(5);
                self.array(array);
                self.writer.end_message(message);
            }
            // `Value` is non-exhaustive: a new kind is exported as an empty value.
            _ => {}
        }
    }

    fn array(&mut self, array: &Array) {
        match array {
            Array::Bool(values) => {
                self.elements(values, |writer, value| writer.required_int64(2, i64::from(*value)));
            }
            Array::I64(values) => {
                self.elements(values, |writer, value| writer.required_int64(3, *value));
            }
            Array::F64(values) => {
                self.elements(values, |writer, value| writer.required_double(4, *value));
            }
            Array::String(values) => self.elements(values, |writer, value: &StringValue| {
                writer.required_string(1, value.as_str());
            }),
            _ => {}
        }
    }

    fn elements<T>(&mut self, values: &[T], write: impl Fn(&mut ProtobufWriter, &T)) {
        for value in values {
            let element = self.writer.begin_message(1);
            write(&mut self.writer, value);
            self.writer.end_message(element);
        }
    }
}

fn span_flags(context: &SpanContext, is_remote: bool) -> u32 {
    let remote = if is_remote { IS_REMOTE } else { 0 };
    u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote
}

fn kind_number(kind: &SpanKind) -> u32 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// Returns the nanoseconds since 1970, zero for an earlier time.
fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the attributes are test data")]
mod tests {
    use super::*;
    use opentelemetry::trace::{TraceFlags, TraceId, TraceState};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
    use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use prost::Message;
    use std::time::Duration;

    fn encode_with_prost(spans: &[SpanData], resource: &Resource) -> Vec<u8> {
        let resource = ResourceAttributesWithSchema::from(resource);
        let resource_spans = group_spans_by_resource_and_scope(spans.to_vec(), &resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn resource() -> Resource {
        Resource::builder_empty()
            .with_schema_url(
                [KeyValue::new("service.name", "shop"), KeyValue::new("process.pid", 7)],
                "https://opentelemetry.io/schemas/1.41.0",
            )
            .build()
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            Just(String::new()),
            (120_usize..20_000).prop_map(|n| "é".repeat(n))
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            text().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            vec(any::<i64>(), 0..4).prop_map(|values| Value::Array(values.into())),
            vec(any::<f64>(), 0..4).prop_map(|values| Value::Array(values.into())),
            vec(any::<bool>(), 0..4).prop_map(|values| Value::Array(values.into())),
            vec(text(), 0..4).prop_map(|values| {
                Value::Array(values.into_iter().map(StringValue::from).collect::<Vec<_>>().into())
            }),
        ]
    }

    fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
        vec((any::<String>(), value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..6)
    }

    fn context() -> impl Strategy<Value = SpanContext> {
        let state = prop_oneof![Just(vec![]), Just(vec![("vendor", "a"), ("other", "b")])];
        (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), any::<bool>(), state).prop_map(
            |(trace, span, flags, is_remote, state)| {
                let state = TraceState::from_key_value(state).expect("valid entries");
                let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
                SpanContext::new(trace, span, TraceFlags::new(flags), is_remote, state)
            },
        )
    }

    fn time() -> impl Strategy<Value = SystemTime> {
        prop_oneof![
            any::<u32>().prop_map(|nanos| UNIX_EPOCH + Duration::from_nanos(u64::from(nanos))),
            Just(UNIX_EPOCH),
            Just(UNIX_EPOCH - Duration::from_secs(1)),
            Just(UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        ]
    }

    fn event() -> impl Strategy<Value = Event> {
        (text(), time(), attributes(), 0_u32..3).prop_map(|(name, time, attributes, dropped)| {
            Event::new(name, time, attributes, dropped)
        })
    }

    fn status() -> impl Strategy<Value = Status> {
        prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
    }

    fn kind() -> impl Strategy<Value = SpanKind> {
        prop_oneof![
            Just(SpanKind::Internal),
            Just(SpanKind::Server),
            Just(SpanKind::Client),
            Just(SpanKind::Producer),
            Just(SpanKind::Consumer),
        ]
    }

    prop_compose! {
        fn span()(
            ids in (context(), prop_oneof![Just([0; 8]), any::<[u8; 8]>()], any::<bool>()),
            name in text(),
            kind in kind(),
            times in (time(), time()),
            attributes in attributes(),
            dropped in (0_u32..300, 0_u32..3, 0_u32..3),
            events in vec(event(), 0..3),
            links in vec((context(), attributes(), 0_u32..3), 0..3),
            status in status(),
        ) -> SpanData {
            let (span_context, parent, parent_span_is_remote) = ids;
            let mut span_events = SpanEvents::default();
            span_events.events = events;
            span_events.dropped_count = dropped.1;
            let mut span_links = SpanLinks::default();
            span_links.links = links
                .into_iter()
                .map(|(context, attributes, dropped)| Link::new(context, attributes, dropped))
                .collect();
            span_links.dropped_count = dropped.2;
            SpanData {
                span_context,
                parent_span_id: SpanId::from_bytes(parent),
                parent_span_is_remote,
                span_kind: kind,
                name: name.into(),
                start_time: times.0,
                end_time: times.1,
                attributes,
                dropped_attributes_count: dropped.0,
                events: span_events,
                links: span_links,
                status,
                instrumentation_scope: InstrumentationScope::builder("hub-otel")
                    .with_version("0.1.0")
                    .with_schema_url("https://opentelemetry.io/schemas/1.41.0")
                    .with_attributes([KeyValue::new("scope.attribute", true)])
                    .build(),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn random_spans_are_encoded_as_by_prost(spans in vec(span(), 0..4)) {
            // Each key is allowed: redaction is not part of the official encoding.
            let allowed = spans.iter().flat_map(|span| {
                let events = span.events.iter().flat_map(|event| &event.attributes);
                let links = span.links.iter().flat_map(|link| &link.attributes);
                span.attributes.iter().chain(events).chain(links)
            });
            let allowed = allowed.map(|attribute| attribute.key.to_string()).collect();
            let deny = DenyList { allowed, ..DenyList::default() };
            let resource = resource();
            let written = encode(&spans, &resource, &deny);
            let official = encode_with_prost(&spans, &resource);
            if written != official {
                // The decoded requests show the difference, if it is one of content.
                let decode = |bytes: &[u8]| ExportTraceServiceRequest::decode(bytes);
                prop_assert_eq!(decode(&written), decode(&official));
                prop_assert_eq!(written, official);
            }
        }
    }

    fn fixed_span(scope: &'static str, name: &'static str) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(7),
                SpanId::from(9),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: UNIX_EPOCH,
            end_time: UNIX_EPOCH,
            attributes: vec![KeyValue::new("password", "hunter2"), KeyValue::new("color", "red")],
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder(scope).build(),
        }
    }

    #[test]
    fn spans_are_grouped_by_scope_in_order_of_appearance() {
        let spans = [fixed_span("b", "1"), fixed_span("a", "2"), fixed_span("b", "3")];
        let bytes = encode(&spans, &Resource::builder_empty().build(), &DenyList::default());
        let request = ExportTraceServiceRequest::decode(&*bytes).expect("valid protobuf");
        let names: Vec<_> = request.resource_spans[0]
            .scope_spans
            .iter()
            .map(|group| {
                let names: Vec<_> = group.spans.iter().map(|span| span.name.as_str()).collect();
                (group.scope.as_ref().map_or("", |scope| &scope.name), names.join(" "))
            })
            .collect();
        assert_eq!(names, [("b", "1 3".to_owned()), ("a", "2".to_owned())]);
    }

    #[test]
    fn secret_values_are_not_written() {
        let spans = [fixed_span("a", "1")];
        let bytes = encode(&spans, &Resource::builder_empty().build(), &DenyList::default());
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2") && text.contains(REDACTED) && text.contains("red"));
    }
}
