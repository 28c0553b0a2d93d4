//! Spans, their events, and log records.

use crate::document::{span_names, table};
use crate::emitted::emitted;
use hub_otel_tests::receiver::{self, Item};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::collections::{BTreeMap, BTreeSet};

/// Returns whether a span has a documented name, which may be a template:
/// `execute_tool {gen_ai.tool.name}`.
fn is_named(span: &Item<Span>, name: &str) -> bool {
    let text = |key: &str| receiver::text(&span.attributes, key).unwrap_or_default().to_owned();
    let mut parts = name.split(['{', '}']);
    let mut expected = String::new();
    while let Some(literal) = parts.next() {
        expected += literal;
        expected += &parts.next().map(text).unwrap_or_default();
    }
    span.scope.name == "hub_otel" && span.name == expected
}

/// The attributes of all spans of that name, with their types.
fn attributes(name: &str) -> BTreeMap<String, String> {
    let spans = emitted().spans.iter().filter(|span| is_named(span, name));
    spans
        .flat_map(|span| &span.attributes)
        .map(|attribute| {
            let kind = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
                Some(Value::StringValue(_)) => "string",
                Some(Value::IntValue(_)) => "int",
                Some(Value::BoolValue(_)) => "bool",
                Some(Value::DoubleValue(_)) => "double",
                Some(Value::ArrayValue(_)) => "string[]",
                other => panic!("{}: {other:?}", attribute.key),
            };
            (attribute.key.clone(), kind.to_owned())
        })
        .collect()
}

#[test]
fn every_span_has_the_attributes_of_the_document_and_no_other() {
    for (heading, name) in span_names() {
        let documented: BTreeMap<_, _> =
            table(&heading).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        assert_eq!(attributes(&name), documented, "{name}");
    }
}

#[test]
fn constant_attributes_are_on_every_span() {
    for (heading, name) in span_names() {
        for row in table(&heading).iter().filter(|row| row[2].starts_with("from the ")) {
            for span in emitted().spans.iter().filter(|span| is_named(span, &name)) {
                assert!(
                    span.attributes.iter().any(|attribute| attribute.key == row[0]),
                    "{} on {name}",
                    row[0]
                );
            }
        }
    }
}

#[test]
fn every_span_of_the_library_is_in_the_document() {
    let documented = span_names();
    for span in &emitted().spans {
        // Those of HTTP and of databases follow the conventions, other libraries their own names.
        let is_call = receiver::text(&span.attributes, "hub_otel.status").is_some();
        let boundary = matches!(span.kind(), SpanKind::Server | SpanKind::Client) && !is_call;
        let is_documented = documented.iter().any(|(_, name)| is_named(span, name));
        let foreign = span.scope.name != "hub_otel";
        assert!(boundary || foreign || is_documented, "{}", span.name);
    }
}

#[test]
fn spans_have_the_kind_of_the_document() {
    for (heading, name) in span_names() {
        let expected = if name.contains("gen_ai.request.model") {
            SpanKind::Client
        } else {
            SpanKind::Internal
        };
        for span in emitted().spans.iter().filter(|span| is_named(span, &name)) {
            assert_eq!(span.kind(), expected, "{heading}: {}", span.name);
        }
    }
}

#[test]
fn every_record_and_every_span_event_is_in_the_document_and_was_written() {
    let records = table("## Events and logs");
    let name = |log: &opentelemetry_proto::tonic::logs::v1::LogRecord| match log
        .body
        .as_ref()
        .and_then(|body| body.value.as_ref())
    {
        Some(Value::StringValue(text)) => text.clone(),
        _ => log.event_name.clone(),
    };
    let documented: BTreeSet<_> = records.iter().map(|row| row[0].clone()).collect();
    let of_the_library = |log: &&_| scope_of(log).starts_with("hub_otel");
    let written: BTreeSet<_> =
        emitted().logs.iter().filter(of_the_library).map(|log| name(log)).collect();
    assert_eq!(written, documented);
    for row in &records {
        for log in emitted().logs.iter().filter(|log| name(log) == row[0]) {
            let severity = log.severity_text.as_str();
            assert!(row[1].contains(severity), "{} is {severity}", row[0]);
        }
    }
    let events: BTreeSet<_> = emitted()
        .spans
        .iter()
        .flat_map(|span| &span.events)
        .map(|event| event.name.as_str())
        .collect();
    assert_eq!(events, BTreeSet::from(["agent.retry", "exception"]));
}

fn scope_of(
    log: &hub_otel_tests::receiver::Item<opentelemetry_proto::tonic::logs::v1::LogRecord>,
) -> String {
    log.scope.name.clone()
}
