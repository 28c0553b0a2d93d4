#![expect(clippy::disallowed_methods, reason = "the attributes are test data")]

use super::*;
use crate::export::ended_span::to_span_data;
use crate::export::random;
use crate::telemetry::redaction::REDACTED;
use crate::unit::ending::SpanEnd;
use crate::unit::span::UnitSpan;
use opentelemetry::trace::{TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use std::time::UNIX_EPOCH;

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

/// Returns a deny-list that allows each key of `spans`: redaction is not part of the official
/// encoding.
fn allow_keys(spans: &[SpanData]) -> DenyList {
    let allowed = spans.iter().flat_map(|span| {
        let events = span.events.iter().flat_map(|event| &event.attributes);
        let links = span.links.iter().flat_map(|link| &link.attributes);
        span.attributes.iter().chain(events).chain(links)
    });
    let allowed = allowed.map(|attribute| attribute.key.to_string()).collect();
    DenyList { allowed, ..DenyList::default() }
}

/// Asserts that `written` is what prost writes for `data`.
fn assert_official(
    written: &[u8],
    data: &[SpanData],
    resource: &Resource,
) -> Result<(), TestCaseError> {
    let official = encode_with_prost(data, resource);
    if written != official {
        // The decoded requests show the difference, if it is one of content.
        let decode = |bytes: &[u8]| ExportTraceServiceRequest::decode(bytes);
        prop_assert_eq!(decode(written), decode(&official));
        prop_assert_eq!(written, official);
    }
    Ok(())
}

/// Limits and spans of units that were recorded under them.
fn recorded() -> impl Strategy<Value = (RecordLimits, Vec<(UnitSpan, SpanEnd)>)> {
    random::limits().prop_flat_map(|limits| (Just(limits), vec(random::unit_span(limits), 0..4)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_spans_are_encoded_as_by_prost(data in vec(random::span(), 0..4)) {
        let spans: Vec<_> = data.iter().cloned().map(Box::new).map(EndedSpan::Sdk).collect();
        let resource = resource();
        let written = encode(&spans, &resource, &allow_keys(&data), &LIMITS);
        assert_official(&written, &data, &resource)?;
    }

    #[test]
    fn random_units_are_encoded_as_by_prost((limits, units) in recorded()) {
        let ended = |(span, end)| EndedSpan::Unit(Box::new(span), end);
        let spans: Vec<_> = units.into_iter().map(ended).collect();
        let resource = resource();
        let written = encode(&spans, &resource, &DenyList::default(), &limits);
        let data: Vec<_> = spans.into_iter().map(|span| match span {
            EndedSpan::Unit(span, end) => to_span_data(*span, &end, &limits),
            EndedSpan::Sdk(span) => *span,
        }).collect();
        assert_official(&written, &data, &resource)?;
    }
}

const LIMITS: RecordLimits = RecordLimits {
    attributes: 128,
    events: 128,
    links: 128,
    event_attributes: 128,
    link_attributes: 128,
};

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
    let spans = [("b", "1"), ("a", "2"), ("b", "3")];
    let spans = spans.map(|(scope, name)| EndedSpan::Sdk(Box::new(fixed_span(scope, name))));
    let bytes = encode(&spans, &Resource::builder_empty().build(), &DenyList::default(), &LIMITS);
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
    let spans = [EndedSpan::Sdk(Box::new(fixed_span("a", "1")))];
    let bytes = encode(&spans, &Resource::builder_empty().build(), &DenyList::default(), &LIMITS);
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("hunter2") && text.contains(REDACTED) && text.contains("red"));
}
