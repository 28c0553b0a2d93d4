//! Spans of the `tracing` crate beside units: nesting, fields, filters. Each case runs in a child
//! process, because a subscriber is global.

mod case;

use crate::kit;
use hub_otel_tests::receiver::{Item, Receiver, int, text};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::collections::HashMap;

/// Runs one of the cases with `variables`. Returns the text of stderr.
#[track_caller]
fn run(name: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> String {
    kit::run_case(&format!("tracing_spans::case::{name}"), receiver, variables)
}

/// Name of each span with the name of its parent, sorted. `?` is a parent that was not exported.
fn family(receiver: &Receiver) -> Vec<String> {
    let spans = receiver.spans();
    let names: HashMap<_, _> = spans.iter().map(|span| (&span.span_id, &span.name)).collect();
    let mut family: Vec<_> = spans
        .iter()
        .map(|span| match names.get(&span.parent_span_id) {
            Some(parent) => format!("{} < {parent}", span.name),
            None if span.parent_span_id.is_empty() => span.name.clone(),
            None => format!("{} < ?", span.name),
        })
        .collect();
    family.sort();
    family
}

fn named(receiver: &Receiver, name: &str) -> Item<Span> {
    receiver.spans().into_iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn record(receiver: &Receiver, body: &str) -> Item<LogRecord> {
    let mut records = receiver.logs();
    records.retain(|record| format!("{:?}", record.body).contains(body));
    assert_eq!(records.len(), 1, "{body}: {records:?}");
    records.remove(0)
}

const FOUR_LEVELS: [&str; 5] = [
    "agent.execute < between",
    "between < workflow.execute",
    "innermost < agent.execute",
    "outermost",
    "workflow.execute < outermost",
];

#[test]
fn spans_of_tracing_and_units_nest_in_both_directions() {
    for name in ["nested", "nested_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[]);
        assert_eq!(family(&receiver), FOUR_LEVELS, "{name}");
        let traces: std::collections::HashSet<_> =
            receiver.spans().iter().map(|span| span.trace_id.clone()).collect();
        assert_eq!(traces.len(), 1);
        assert_eq!(named(&receiver, "between").scope.name, "tracing");
        // The log record carries the ids of the innermost span.
        assert_eq!(
            record(&receiver, "in the innermost").span_id,
            named(&receiver, "innermost").span_id
        );
    }
}

#[test]
fn a_unit_is_the_current_span_for_spawned_tasks_threads_and_explicit_parents() {
    for name in ["current_span", "current_span_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[("RUST_LOG", "warn,pipeline=info")]);
        let expected = [
            "agent.execute",
            "agent.execute < agent.execute",
            "explicit < agent.execute",
            "other thread < agent.execute",
            "spawned < agent.execute",
        ];
        assert_eq!(family(&receiver), expected, "{name}");
    }
}

#[test]
fn a_request_is_the_current_span_of_its_handler_and_of_its_body() {
    for name in ["request", "request_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[("RUST_LOG", "warn,pipeline=info")]);
        let expected = [
            "GET /birds",
            "explicit < GET /birds",
            "in the body < GET /birds",
            "in the handler < GET /birds",
            "spawned < GET /birds",
        ];
        assert_eq!(family(&receiver), expected, "{name}");
        let request = named(&receiver, "GET /birds");
        assert_eq!(text(&request.attributes, "recorded"), Some("on the request"));
    }
}

#[test]
fn a_request_whose_handler_panics_is_left_and_exported_once() {
    let receiver = Receiver::start();
    run("panicking_request", &receiver, &[]);
    assert_eq!(family(&receiver), ["GET /birds", "after"]);
}

#[test]
fn spans_inside_units_have_the_attributes_of_the_run() {
    let receiver = Receiver::start();
    run("run_attributes", &receiver, &[]);
    let value = |name: &str, key: &str| {
        let span = named(&receiver, name);
        let values: Vec<_> = span.attributes.iter().filter(|entry| entry.key == key).collect();
        assert!(values.len() <= 1, "{values:?}");
        text(&span.attributes, key).map(str::to_owned)
    };
    for (name, session) in [("inside", Some("s")), ("below", Some("s")), ("outside", None)] {
        let conversation = session.map(|_| "c");
        assert_eq!(value(name, "gen_ai.conversation.id").as_deref(), conversation, "{name}");
        assert_eq!(value(name, "session.id").as_deref(), session, "{name}");
    }
    assert_eq!(value("own", "tenant.id").as_deref(), Some("of the span"));
    assert_eq!(value("inside", "tenant.id").as_deref(), Some("of the run"));
}

#[test]
fn a_filter_that_disables_the_spans_of_units_is_reported_once_with_the_remedy() {
    let receiver = Receiver::start();
    let stderr = run("filtered_by_target", &receiver, &[]);
    assert_eq!(stderr.matches("disables the target `hub_otel`").count(), 1, "{stderr}");
    assert!(stderr.contains("add `hub_otel=error` to the filter"), "{stderr}");

    let receiver = Receiver::start();
    let stderr = run("filtered_with_the_remedy", &receiver, &[]);
    assert!(!stderr.contains("disables the target"), "{stderr}");
    assert_eq!(family(&receiver)[3..], ["other thread < agent.execute", "spawned < agent.execute"]);
}

#[test]
fn spans_in_joined_dropped_and_panicking_units_have_their_own_unit_as_parent() {
    let receiver = Receiver::start();
    run("interleaved", &receiver, &[]);
    let spans = receiver.spans();
    for name in ["one", "two", "dropped", "panicking"] {
        let child = named(&receiver, name);
        let parent = spans.iter().find(|span| span.span_id == child.parent_span_id);
        let id = parent.and_then(|span| text(&span.attributes, "agent.id"));
        assert_eq!(id, Some(name), "{:?}", family(&receiver));
    }
    assert_eq!(spans.len(), 8);
}

#[test]
fn a_span_is_linked_to_the_one_it_follows_and_may_outlive_its_unit() {
    let receiver = Receiver::start();
    run("late", &receiver, &[]);
    let (unit, late) = (named(&receiver, "agent.execute"), named(&receiver, "late"));
    assert_eq!(late.parent_span_id, unit.span_id);
    assert!(late.end_time_unix_nano > unit.end_time_unix_nano, "{late:?}");
    let links: Vec<_> = late.links.iter().map(|link| &link.span_id).collect();
    assert_eq!(links, [&named(&receiver, "followed").span_id]);
}

#[test]
fn the_context_of_open_telemetry_is_available_and_a_remote_parent_can_be_set() {
    let receiver = Receiver::start();
    run("span_ext", &receiver, &[]);
    let remote = named(&receiver, "remote");
    assert_eq!(remote.trace_id, 7_u128.to_be_bytes());
    assert_eq!(remote.parent_span_id, 9_u64.to_be_bytes());
    // An integer field does not start the span before the parent is set.
    assert_eq!(int(&remote.attributes, "size"), Some(3));
    assert_eq!(text(&named(&receiver, "agent.execute").attributes, "added"), Some("to the unit"));
}

#[test]
fn fields_keep_their_types_and_are_on_the_log_records_inside() {
    let receiver = Receiver::start();
    run("fields", &receiver, &[]);
    let span = named(&receiver, "fields");
    let inner = record(&receiver, "of the inner span");
    for attributes in [&span.attributes, &inner.attributes] {
        for (key, value) in
            [("u64", 1), ("usize", 2), ("u128", 3), ("i64", -4), ("option", 5), ("later", 7)]
        {
            assert_eq!(int(attributes, key), Some(value), "{key}: {attributes:?}");
            assert_eq!(attributes.iter().filter(|entry| entry.key == key).count(), 1, "{key}");
        }
        assert_eq!(text(attributes, "digits"), Some("42"), "a text stays one");
        assert_eq!(text(attributes, "u128_max"), Some(u128::MAX.to_string().as_str()));
        assert_eq!(text(attributes, "debug"), Some("[1, 2]"));
        assert_eq!(text(attributes, "api_key"), Some("[REDACTED]"));
    }
    // A field of the event precedes one of the inner span, which precedes one of the outer span.
    assert_eq!(text(&inner.attributes, "tenant"), Some("acme"));
    assert_eq!(text(&inner.attributes, "level"), Some("inner"));
    assert_eq!(text(&inner.attributes, "place"), Some("event"));
    let keys: Vec<_> = inner.attributes.iter().map(|entry| &entry.key).collect();
    let mut unique = keys.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), keys.len(), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("otel.")), "{keys:?}");
    assert_eq!(text(&record(&receiver, "outside").attributes, "tenant"), None);
}

#[test]
fn the_exporters_own_spans_never_appear_and_no_event_is_recorded_twice() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start();
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "5"),
            ("RUST_LOG", "trace"),
            ("OTEL_HUB_SPAN_FILTER", "trace"),
        ];
        let stderr = run("finest", &receiver, &variables);
        assert!(!stderr.contains("hub_otel.unit"), "lines on stderr have no span of a unit");
        let mut names: Vec<_> = receiver.spans().iter().map(|span| span.name.clone()).collect();
        names.sort();
        names.dedup();
        // The program may use the same crates.
        assert_eq!(names, ["agent.execute", "of the program"], "{protocol}");
        assert_eq!(receiver.spans().len(), 60, "{protocol}");
        let events: usize = receiver.spans().iter().map(|span| span.events.len()).sum();
        assert_eq!(events, 0, "events are log records");
        let lines = receiver.logs();
        let own = lines.iter().filter(|line| format!("{:?}", line.body).contains("a line"));
        assert_eq!(own.count(), 30, "{protocol}");
    }
}

#[test]
fn an_error_event_fails_the_span_of_tracing_around_it_and_no_unit() {
    let receiver = Receiver::start();
    run("errors", &receiver, &[]);
    let code = |span: &Item<Span>| span.status.clone().unwrap_or_default().code();
    let failed = named(&receiver, "failing");
    assert_eq!(code(&failed), StatusCode::Error);
    assert_eq!(failed.events.len(), 1, "{:?}", failed.events);
    let agent = named(&receiver, "agent.execute");
    assert_eq!(text(&agent.attributes, "agent.status"), Some("SUCCESS"));
    assert_eq!((code(&agent), agent.events.len()), (StatusCode::Ok, 0));
    record(&receiver, "an error in the agent");
}

#[test]
fn a_subscriber_with_a_bridge_of_its_own_gets_log_records_only() {
    let receiver = Receiver::start();
    run("own_bridge", &receiver, &[]);
    assert_eq!(family(&receiver), ["agent.execute < ?"], "its parent is of the other provider");
    let inside = record(&receiver, "in the agent");
    assert_eq!(text(&inside.attributes, "tenant"), Some("acme"));
}

#[test]
fn the_level_of_the_subscriber_is_the_one_of_rust_log() {
    let receiver = Receiver::start();
    for (directives, level) in [
        (None, "INFO"),
        (Some("warn,pipeline=debug"), "DEBUG"),
        (Some("error"), "ERROR"),
        (Some("off"), "OFF"),
    ] {
        let mut variables = vec![("OTEL_HUB_SPAN_FILTER", "off")];
        variables.extend(directives.map(|value| ("RUST_LOG", value)));
        let stderr = run("level", &receiver, &variables);
        assert!(stderr.contains(&format!("levels {level} {level}\n")), "{directives:?}: {stderr}");
    }
}

#[test]
fn spans_do_not_depend_on_the_level_of_the_log() {
    for name in ["nested", "nested_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[("RUST_LOG", "warn")]);
        assert_eq!(family(&receiver), FOUR_LEVELS, "{name}");
    }
    let receiver = Receiver::start();
    run("nested", &receiver, &[("RUST_LOG", "off")]);
    assert_eq!(family(&receiver), ["agent.execute < workflow.execute", "workflow.execute"]);
}

#[test]
fn the_filter_of_spans_leaves_units_and_events_alone() {
    for name in ["nested", "nested_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[("OTEL_HUB_SPAN_FILTER", "off")]);
        assert_eq!(family(&receiver), ["agent.execute < workflow.execute", "workflow.execute"]);
        record(&receiver, "in the innermost");
        let receiver = Receiver::start();
        run(name, &receiver, &[("OTEL_HUB_SPAN_FILTER", "info,another=off")]);
        assert_eq!(family(&receiver), FOUR_LEVELS, "{name}");
    }
}

#[test]
fn without_the_export_of_spans_the_parent_of_a_unit_is_the_unit_around_it() {
    for name in ["units_only", "units_only_own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, &[]);
        let expected = [
            "agent.execute",
            "agent.execute < agent.execute",
            "agent.execute < workflow.execute",
            "workflow.execute",
        ];
        assert_eq!(family(&receiver), expected, "{name}");
        let line = record(&receiver, "in the innermost");
        let spans = receiver.spans();
        let agent = spans.iter().find(|span| span.span_id == line.span_id).expect("a unit");
        assert_eq!(text(&agent.attributes, "agent.id"), Some("a"));
    }
}

#[test]
fn the_next_installation_may_export_spans() {
    let receiver = Receiver::start();
    run("units_only_then_all", &receiver, &[]);
    let expected = ["agent.execute", "agent.execute", "agent.execute", "inside < agent.execute"];
    assert_eq!(family(&receiver), expected);
    let inside = named(&receiver, "inside");
    assert_eq!(text(&inside.resource.attributes, "service.name"), Some("second"));
}

#[test]
fn below_an_unsampled_unit_nothing_is_exported() {
    for (sampler, exported) in [("always_off", 0), ("parentbased_always_off", 0)] {
        let receiver = Receiver::start();
        run("current_span", &receiver, &[("OTEL_TRACES_SAMPLER", sampler)]);
        assert_eq!(receiver.spans().len(), exported, "{sampler}: {:?}", family(&receiver));
    }
}

#[test]
fn without_an_exporter_of_traces_log_records_keep_the_ids_of_their_unit() {
    let receiver = Receiver::start();
    run("nested", &receiver, &[("OTEL_TRACES_EXPORTER", "none")]);
    let ended = record(&receiver, "in the innermost");
    assert_eq!((ended.trace_id.len(), ended.span_id.len()), (16, 8));
    assert!(receiver.spans().is_empty());
}

#[test]
fn a_second_installation_exports_the_spans_of_its_time() {
    let receiver = Receiver::start();
    run("twice", &receiver, &[]);
    let mut spans: Vec<_> = receiver
        .spans()
        .iter()
        .map(|span| {
            let service = text(&span.resource.attributes, "service.name").unwrap_or_default();
            format!("{service} {} {}", span.name, int(&span.attributes, "size").unwrap_or_default())
        })
        .collect();
    spans.sort();
    assert_eq!(
        spans,
        ["first agent.execute 0", "first inside 1", "second agent.execute 0", "second inside 2",]
    );
    assert!(family(&receiver).iter().any(|line| line == "inside < agent.execute"));
}
