//! Tests of the store: runs, limits, changes.

mod received;

use super::*;
use crate::live::testing::{span, unit_span};
use crate::semconv::span::AGENT_EXECUTE;
use crate::semconv::{kv, status};
use opentelemetry::trace::{SpanContext, Status};
use serde_json::Value;

const SMALL: StoreLimits =
    StoreLimits { bytes: 64 * 1024, finished_traces: 4, other_traces: 2, open_spans: 10 };

fn store(limits: StoreLimits) -> Store {
    Store::new(limits, DenyList::default())
}

fn ended(mut span: SpanData, status: &'static str) -> SpanData {
    let key = if kind(&span) == Kind::Agent { a::AGENT_STATUS } else { a::WORKFLOW_STATUS };
    span.attributes.push(kv(key, status));
    span
}

fn run_to_end(store: &mut Store, trace: u128, run: &'static str) {
    let start = unit_span(trace, 1, 0, "review", run);
    store.apply(Message::Started(start.clone()));
    store.apply(Message::Ended(ended(start, status::SUCCESS)));
}

fn agent(trace: u128, id: u64, parent: u64, run: Option<&'static str>) -> SpanData {
    let mut agent = span(trace, id, parent, AGENT_EXECUTE);
    agent.attributes = vec![kv(a::AGENT_ID, "scanner"), kv(a::AGENT_ACTION, "scan")];
    agent.attributes.extend(run.map(|run| kv(a::WORKFLOW_RUN_ID, run)));
    agent
}

fn json(state: State) -> Value {
    serde_json::to_value(state).unwrap()
}

/// Returns the changes after `cursor` as JSON, and moves it.
fn updates(store: &Store, cursor: &mut Cursor, run: Option<&str>) -> Value {
    let run = run.map(|key| SelectedRun { key: key.to_owned(), has_texts: false });
    let (updates, next, _) = store.updates(*cursor, run.as_ref());
    let json = serde_json::to_value(&updates).unwrap();
    *cursor = next;
    json
}

#[test]
fn a_run_is_listed_at_its_start_and_has_its_outcome_after_its_end() {
    let mut store = store(StoreLimits::default());
    let mut cursor = Cursor::default();
    let start = unit_span(1, 1, 0, "review", "run-1");
    store.apply(Message::Started(start.clone()));
    store.apply(Message::Started(agent(1, 2, 1, Some("run-1"))));
    let first = updates(&store, &mut cursor, Some("run-1"));
    assert_eq!(first["runs"][0]["state"], "running");
    assert_eq!(first["runs"][0]["agentsStarted"], 1);
    assert_eq!(first["detail"]["spans"].as_array().unwrap().len(), 2);

    store.apply(Message::Ended(ended(agent(1, 2, 1, Some("run-1")), status::FAILED)));
    store.apply(Message::Ended(ended(start, status::FAILED)));
    let second = updates(&store, &mut cursor, Some("run-1"));
    let run = &second["runs"][0];
    assert_eq!((&run["state"], &run["errors"]), (&json(State::Failed), &1.into()));
    assert_eq!((&run["agentsEnded"], &run["agents"][0]), (&1.into(), &"scanner".into()));
    assert_eq!(store.runs.totals.failed, 1);
    // Only changes, and nothing twice.
    let third = updates(&store, &mut cursor, Some("run-1"));
    assert!(third["runs"].as_array().unwrap().is_empty(), "{third}");
    assert!(third["detail"]["spans"].as_array().unwrap().is_empty(), "{third}");
}

#[test]
fn segments_of_a_run_in_several_traces_are_one_run() {
    let mut store = store(StoreLimits::default());
    let first = unit_span(1, 1, 0, "patch", "run-1");
    store.apply(Message::Started(first.clone()));
    store.apply(Message::Ended(ended(first, status::SUSPENDED)));
    let mut cursor = Cursor::default();
    let suspended = updates(&store, &mut cursor, None);
    assert_eq!(suspended["runs"][0]["state"], "suspended");
    assert_eq!(suspended["totals"]["suspended"], 1);
    run_to_end(&mut store, 2, "run-1");
    let ended = updates(&store, &mut Cursor::default(), Some("run-1"));
    assert_eq!(ended["runs"][0]["segments"], 2);
    assert_eq!(ended["totals"]["success"], 1);
    assert_eq!(ended["totals"]["suspended"], 0);
    assert_eq!(ended["detail"]["spans"].as_array().unwrap().len(), 2);
}

#[test]
fn an_agent_without_a_workflow_is_a_run_of_its_own() {
    let mut store = store(StoreLimits::default());
    store.apply(Message::Started(agent(7, 1, 0, None)));
    store.apply(Message::Ended(ended(agent(7, 1, 0, None), status::SUCCESS)));
    let update = updates(&store, &mut Cursor::default(), None);
    let run = &update["runs"][0];
    assert_eq!((&run["name"], &run["state"]), (&"scanner".into(), &"success".into()));
    assert_eq!(run["isAgent"], true);
}

#[test]
fn the_oldest_finished_traces_are_removed_and_counted() {
    let mut store = store(SMALL);
    for (trace, run) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
        run_to_end(&mut store, trace as u128 + 1, run);
    }
    assert_eq!(store.dropped.evicted_traces, 2);
    let mut cursor = Cursor::default();
    let all = updates(&store, &mut cursor, None);
    let listed: Vec<_> = all["runs"].as_array().unwrap().iter().map(|run| &run["key"]).collect();
    assert_eq!(listed, ["c", "d", "e", "f"]);
    assert_eq!((&all["totals"]["success"], &all["totals"]["unlisted"]), (&6.into(), &2.into()));
    // A client that had all of them is notified of the next removal.
    run_to_end(&mut store, 9, "g");
    assert_eq!(updates(&store, &mut cursor, None)["removed"][0], "c");
}

#[test]
fn the_content_stays_within_its_limit_and_running_runs_stay() {
    let mut store = store(SMALL);
    store.apply(Message::Started(unit_span(1, 1, 0, "review", "run-1")));
    let mut span = span(1, 0, 1, "GET /");
    span.attributes.push(kv("text", "x".repeat(2_000)));
    for id in 2..200_u64 {
        span.span_context = SpanContext::new(
            TraceId::from_bytes(1_u128.to_be_bytes()),
            SpanId::from_bytes(id.to_be_bytes()),
            opentelemetry::trace::TraceFlags::SAMPLED,
            false,
            Default::default(),
        );
        store.apply(Message::Ended(span.clone()));
        assert!(store.bytes() <= SMALL.bytes, "{}", store.bytes());
    }
    assert!(store.dropped.no_space > 0);
    let update = updates(&store, &mut Cursor::default(), Some("run-1"));
    assert_eq!(update["runs"][0]["state"], "running");
    assert!(update.pointer("/detail/dropped").and_then(Value::as_u64).unwrap() > 0);
}

#[test]
fn the_end_of_a_stored_span_without_space_keeps_its_row_and_loses_its_content() {
    let mut store = store(SMALL);
    store.apply(Message::Started(unit_span(1, 1, 0, "review", "run-1")));
    for id in 2..9 {
        store.apply(Message::Started(span(1, id, 1, "GET /")));
    }
    for id in 2..9 {
        let mut end = span(1, id, 1, "GET /");
        end.attributes.push(kv("text", "x".repeat(20_000)));
        store.apply(Message::Ended(end));
        assert!(store.bytes() <= SMALL.bytes, "{}", store.bytes());
    }
    assert_eq!(store.dropped.no_space, 4);
    let update = updates(&store, &mut Cursor::default(), Some("run-1"));
    let rows = update["detail"]["spans"].as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["state"] == "success").count(), 7, "{update}");
    assert_eq!(update.pointer("/detail/dropped").unwrap(), 4);
    let trace = TraceId::from_bytes(1_u128.to_be_bytes());
    let last = store.trace(trace).unwrap().spans[7].to_wire(trace);
    assert_eq!((&*last.name, last.attributes.len()), ("GET /", 0));
    assert_eq!(last.end_time_unix_nano - last.start_time_unix_nano, 1_000_000_000);
}

#[test]
fn spans_in_progress_beyond_the_limit_are_counted_and_their_runs_are_not_lost() {
    let mut store = store(SMALL);
    for (trace, run) in
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"].into_iter().enumerate()
    {
        store.apply(Message::Started(unit_span(trace as u128 + 1, 1, 0, "review", run)));
    }
    let totals = store.runs.totals;
    assert_eq!((totals.started, totals.running, store.dropped.open_spans), (12, 12, 2));
    store.apply(Message::Ended(ended(unit_span(12, 1, 0, "review", "l"), status::SUCCESS)));
    assert_eq!((store.runs.totals.running, store.runs.totals.success), (11, 1));
}

#[test]
fn links_are_resolved_in_both_directions() {
    let mut store = store(StoreLimits::default());
    run_to_end(&mut store, 1, "first");
    let mut second = unit_span(2, 5, 0, "review", "second");
    let first = unit_span(1, 1, 0, "review", "first").span_context;
    second.links.links.push(opentelemetry::trace::Link::new(first, Vec::new(), 0));
    store.apply(Message::Ended(ended(second, status::SUCCESS)));
    let of =
        |run| updates(&store, &mut Cursor::default(), Some(run))["detail"]["linked"][0].clone();
    assert_eq!((&of("first")["run"], &of("first")["back"]), (&"second".into(), &true.into()));
    assert_eq!((&of("second")["run"], &of("second")["back"]), (&"first".into(), &false.into()));
}

#[test]
fn a_linked_run_is_listed_once_and_leaves_the_index_with_its_trace() {
    let mut store = store(SMALL);
    run_to_end(&mut store, 1, "first");
    let first = unit_span(1, 1, 0, "review", "first").span_context;
    for id in 1..4 {
        let mut second = unit_span(2, id, 0, "review", "second");
        second.links.links.push(opentelemetry::trace::Link::new(first.clone(), Vec::new(), 0));
        store.apply(Message::Ended(ended(second, status::SUCCESS)));
    }
    for run in ["first", "second"] {
        let update = updates(&store, &mut Cursor::default(), Some(run));
        assert_eq!(update["detail"]["linked"].as_array().unwrap().len(), 1, "{update}");
    }
    for (trace, run) in ["a", "b", "c", "d"].into_iter().enumerate() {
        run_to_end(&mut store, trace as u128 + 3, run);
    }
    assert!(store.linked_from.is_empty(), "{:?}", store.linked_from);
}

#[test]
fn secrets_are_redacted_before_they_are_stored() {
    let mut store = store(StoreLimits::default());
    let mut start = unit_span(1, 1, 0, "review", "run-1");
    start.attributes.push(kv("api_key", "hunter2"));
    let (trace, id) = (start.span_context.trace_id(), start.span_context.span_id());
    for message in [Message::Started(start.clone()), Message::Ended(start)] {
        store.apply(message);
        let content = format!("{:?}", store.trace(trace).unwrap().span(id).unwrap().to_wire(trace));
        assert!(content.contains("api_key") && !content.contains("hunter2"), "{content}");
        assert!(!format!("{store:?}").contains("hunter2"));
    }
}

#[test]
fn a_large_trace_has_its_index_and_each_change_of_a_span_once() {
    let mut store = store(StoreLimits::default());
    let start = unit_span(1, 1, 0, "review", "run-1");
    store.apply(Message::Started(start.clone()));
    let mut cursor = Cursor::default();
    for id in 2..100 {
        store.apply(Message::Started(span(1, id, 1, "GET /")));
    }
    for id in 2..100 {
        store.apply(Message::Ended(span(1, id, 1, "GET /")));
    }
    let trace = store.trace(start.span_context.trace_id()).unwrap();
    for span in &trace.spans {
        assert_eq!(trace.span(span.id).unwrap().id, span.id);
    }
    let all = updates(&store, &mut cursor, Some("run-1"));
    assert_eq!(all["detail"]["spans"].as_array().unwrap().len(), 99);
    store.apply(Message::Ended(ended(start, status::SUCCESS)));
    let last = updates(&store, &mut cursor, Some("run-1"));
    assert_eq!(last["detail"]["spans"].as_array().unwrap().len(), 1);
}

#[test]
fn texts_of_spans_are_sent_on_request_in_messages_of_a_limited_size() {
    let mut store = store(StoreLimits::default());
    store.apply(Message::Started(unit_span(1, 1, 0, "review", "run-1")));
    for id in 2..100 {
        let mut call = span(1, id, 1, "GET /");
        call.attributes = vec![kv("note", format!("Number {id} {}", "x".repeat(30_000)))];
        call.status = Status::error("Refused");
        store.apply(Message::Ended(call));
    }
    let without = updates(&store, &mut Cursor::default(), Some("run-1"));
    assert!(without["detail"]["spans"][0]["text"].is_null());
    let selected = SelectedRun { key: "run-1".to_owned(), has_texts: true };
    let (mut cursor, mut is_complete, mut messages) = (Cursor::default(), false, 0);
    let mut texts: Vec<String> = Vec::new();
    while !is_complete {
        let (updates, next, is_last) = store.updates(cursor, Some(&selected));
        let json = serde_json::to_value(&updates).unwrap();
        assert!(json.to_string().len() < 1_200_000);
        for span in json["detail"]["spans"].as_array().unwrap() {
            texts.push(span["text"].as_str().unwrap().to_owned());
        }
        (cursor, is_complete) = (next, is_last);
        messages += 1;
    }
    assert_eq!((messages, texts.len()), (3, 99));
    assert!(texts[0].contains("\nworkflow.id=review\n"), "{}", texts[0]);
    assert!(texts[98].starts_with("get /\nrefused\nnote=number 99 xxx"));
}
