//! One trigger is one trace: spans, parents, attributes with their types, log records.

use crate::server::{Server, TIMEOUT, folder, serve};
use hub_otel::semconv::{AttributeType, RequirementLevel, SPANS, attribute as a, event, span};
use hub_otel_tests::receiver::{Item, Receiver, int, text};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::json;
use std::collections::BTreeSet;

/// Runs `workflow` to its end and stops the server. Returns the spans of the trace, and the
/// receiver.
fn run(workflow: &str) -> (Vec<Item<Span>>, Receiver, String, String) {
    let receiver = Receiver::start();
    let folder = folder();
    let server = Server::start(&mut serve(folder.path(), &receiver.endpoint()));
    let (run, trace) = server.trigger(workflow, &json!({ "repository": "." }));
    server.ended(&run);
    let output = server.stop(TIMEOUT);
    assert!(output.contains("[OpenTelemetry] Instrumentation started"), "{output}");
    assert!(output.contains("[OpenTelemetry] Shutdown complete"), "{output}");
    let spans = receiver.spans().into_iter().filter(|span| hex(&span.trace_id) == trace).collect();
    (spans, receiver, run, trace)
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [Item<Span>], name: &str) -> Vec<&'a Item<Span>> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[track_caller]
fn only<'a>(spans: &'a [Item<Span>], name: &str) -> &'a Item<Span> {
    let found = named(spans, name);
    let [one] = found[..] else {
        panic!(
            "{} × {name} in {:?}",
            found.len(),
            spans.iter().map(|span| &span.name).collect::<Vec<_>>()
        )
    };
    one
}

fn status(span: &Span) -> (StatusCode, &str) {
    span.status.as_ref().map_or((StatusCode::Unset, ""), |status| (status.code(), &status.message))
}

/// The span has every attribute that the contract gives it always, each with its type, and none
/// that it does not.
#[track_caller]
fn assert_as_in_the_contract(span: &Span) {
    let row = SPANS.iter().find(|row| row.name == span.name).unwrap();
    assert_eq!(span.kind(), SpanKind::Internal, "{}", span.name);
    for attribute in row.attributes {
        let found = span.attributes.iter().find(|found| found.key == attribute.key);
        let value =
            found.and_then(|found| found.value.as_ref()).and_then(|value| value.value.as_ref());
        match (attribute.value, value) {
            (AttributeType::String, Some(Value::StringValue(_)))
            | (AttributeType::Int, Some(Value::IntValue(_)))
            | (AttributeType::Bool, Some(Value::BoolValue(_)))
            | (AttributeType::Double, Some(Value::DoubleValue(_)))
            | (AttributeType::Strings, Some(Value::ArrayValue(_))) => {}
            (_, None) if matches!(attribute.when, RequirementLevel::When(_)) => {}
            (expected, found) => {
                panic!("{} on {}: {expected:?} and not {found:?}", attribute.key, span.name)
            }
        }
    }
    let known: BTreeSet<_> = row.attributes.iter().map(|attribute| attribute.key).collect();
    let unknown: Vec<_> = span
        .attributes
        .iter()
        .map(|found| &found.key)
        .filter(|key| !known.contains(key.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?} on {}", span.name);
}

/// Checks that every database span is a child of the request or the workflow.
#[track_caller]
fn assert_databases_are_below(spans: &[Item<Span>], askers: &[&Span]) {
    let queries: Vec<_> =
        spans.iter().filter(|span| text(&span.attributes, "db.system.name").is_some()).collect();
    assert!(!queries.is_empty());
    for query in queries {
        assert_eq!(query.kind(), SpanKind::Client, "{}", query.name);
        assert_eq!(text(&query.attributes, "db.system.name"), Some("sqlite"));
        assert!(
            askers.iter().any(|asker| asker.span_id == query.parent_span_id),
            "{} has no asker",
            query.name
        );
    }
}

#[track_caller]
fn assert_resource(attributes: &[KeyValue]) {
    assert_eq!(text(attributes, "service.name"), Some("orchestration-service"));
    assert_eq!(text(attributes, "service.namespace"), Some("commandcenter-hub"));
    assert_eq!(text(attributes, "service.version"), Some(env!("CARGO_PKG_VERSION")));
    assert!(text(attributes, "service.instance.id").is_some_and(|id| !id.is_empty()));
    assert_eq!(text(attributes, "telemetry.sdk.language"), Some("rust"));
}

#[test]
fn a_run_that_succeeds_is_one_trace_as_in_the_contract() {
    let (spans, receiver, run, trace) = run("scan-and-notify");
    let server = only(&spans, "POST /api/workflows/{name}/trigger");
    let workflow = only(&spans, span::WORKFLOW_EXECUTE);
    let agents = named(&spans, span::AGENT_EXECUTE);

    assert_eq!(server.kind(), SpanKind::Server);
    assert!(server.parent_span_id.is_empty());
    assert_eq!(text(&server.attributes, "http.route"), Some("/api/workflows/{name}/trigger"));
    assert_eq!(int(&server.attributes, "http.response.status_code"), Some(202));
    assert_eq!(workflow.parent_span_id, server.span_id);
    assert_eq!(agents.len(), 2);
    assert!(agents.iter().all(|agent| agent.parent_span_id == workflow.span_id));
    assert_databases_are_below(&spans, &[server, workflow, agents[0], agents[1]]);

    assert_as_in_the_contract(workflow);
    assert_eq!(text(&workflow.attributes, a::WORKFLOW_RUN_ID), Some(run.as_str()));
    assert_eq!(text(&workflow.attributes, a::WORKFLOW_ID), Some("scan-and-notify"));
    assert_eq!(text(&workflow.attributes, a::WORKFLOW_TRIGGER), Some("manual"));
    assert_eq!(text(&workflow.attributes, a::WORKFLOW_STATUS), Some("SUCCESS"));
    assert_eq!(status(workflow), (StatusCode::Ok, ""));
    let took = (workflow.end_time_unix_nano - workflow.start_time_unix_nano) / 1_000_000;
    let recorded = int(&workflow.attributes, a::WORKFLOW_DURATION_MS).unwrap();
    assert!(
        recorded.abs_diff(i64::try_from(took).unwrap()) <= 5,
        "{recorded} recorded, {took} on the span"
    );

    for (agent, id, action) in [(agents[0], "scanner", "scan"), (agents[1], "notifier", "notify")] {
        assert_as_in_the_contract(agent);
        assert_eq!(text(&agent.attributes, a::AGENT_ID), Some(id));
        assert_eq!(text(&agent.attributes, a::AGENT_ACTION), Some(action));
        assert_eq!(text(&agent.attributes, a::AGENT_STATUS), Some("SUCCESS"));
        assert_eq!(text(&agent.attributes, a::WORKFLOW_RUN_ID), Some(run.as_str()));
        assert_eq!(text(&agent.attributes, a::WORKFLOW_ID), Some("scan-and-notify"));
        assert_eq!(status(agent), (StatusCode::Ok, ""));
        assert!(
            text(&agent.attributes, a::AGENT_RUN_ID).is_some_and(|id| !id.is_empty() && id != run)
        );
    }
    spans.iter().for_each(|span| assert_resource(&span.resource.attributes));

    // Log records of the run have its trace id.
    let logs: Vec<_> =
        receiver.logs().into_iter().filter(|log| hex(&log.trace_id) == trace).collect();
    logs.iter().for_each(|log| assert_resource(&log.resource.attributes));
    for name in [event::WORKFLOW_RUN_STARTED, event::WORKFLOW_RUN_ENDED] {
        let found: Vec<_> =
            logs.iter().filter(|log| log.event_name == name || is_called(log, name)).collect();
        assert_eq!(found.len(), 1, "{name} in {logs:?}");
        assert_eq!(found[0].span_id, workflow.span_id, "{name}");
    }
}

/// Returns whether the body of a record is `name`: the bridge does not export event names.
fn is_called(log: &opentelemetry_proto::tonic::logs::v1::LogRecord, name: &str) -> bool {
    let body = log.body.as_ref().and_then(|body| body.value.as_ref());
    matches!(body, Some(Value::StringValue(text)) if text == name)
}

#[test]
fn a_run_that_fails_is_one_trace_with_its_error() {
    let (spans, receiver, run, trace) = run("test-failure");
    let server = only(&spans, "POST /api/workflows/{name}/trigger");
    let workflow = only(&spans, span::WORKFLOW_EXECUTE);
    let agent = only(&spans, span::AGENT_EXECUTE);
    assert_eq!(workflow.parent_span_id, server.span_id);
    assert_eq!(agent.parent_span_id, workflow.span_id);
    assert_databases_are_below(&spans, &[server, workflow, agent]);

    assert_as_in_the_contract(workflow);
    assert_as_in_the_contract(agent);
    assert_eq!(text(&workflow.attributes, a::WORKFLOW_RUN_ID), Some(run.as_str()));
    assert_eq!(text(&workflow.attributes, a::WORKFLOW_STATUS), Some("FAILED"));
    assert_eq!(text(&agent.attributes, a::AGENT_STATUS), Some("FAILED"));
    let message = text(&agent.attributes, a::ERROR_MESSAGE).unwrap();
    assert!(!message.is_empty());
    for failed in [workflow, agent] {
        let (code, description) = status(failed);
        assert_eq!(code, StatusCode::Error);
        assert!(!description.is_empty());
        assert!(
            text(&failed.attributes, a::ERROR_TYPE)
                .is_some_and(|kind| !kind.is_empty() && !kind.contains(' '))
        );
        let exceptions: Vec<_> =
            failed.events.iter().filter(|event| event.name == "exception").collect();
        assert_eq!(exceptions.len(), 1, "{}", failed.name);
        assert!(text(&exceptions[0].attributes, a::EXCEPTION_TYPE).is_some(), "{}", failed.name);
        assert_eq!(
            text(&exceptions[0].attributes, a::EXCEPTION_MESSAGE),
            Some(description),
            "{}",
            failed.name
        );
    }
    let ended = receiver
        .logs()
        .into_iter()
        .find(|log| {
            hex(&log.trace_id) == trace
                && (log.event_name == event::WORKFLOW_RUN_ENDED
                    || is_called(log, event::WORKFLOW_RUN_ENDED))
        })
        .unwrap();
    assert_eq!(ended.severity_text, "ERROR");
}
