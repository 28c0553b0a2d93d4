//! Spans of other processes: any order, twice, beyond the limits.

use super::*;
use crate::semconv::gen_ai;
use crate::semconv::span::WORKFLOW_APPROVAL;
use crate::semconv::value::trigger;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as WireKeyValue, any_value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn resource(attributes: &[(&str, &str)]) -> WireResource {
    let attribute = |(key, value): &(&str, &str)| WireKeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue((*value).to_owned())) }),
        ..WireKeyValue::default()
    };
    let attributes = attributes.iter().map(attribute).collect();
    WireResource { attributes, ..WireResource::default() }
}

fn process(store: &mut Store, instance: &str) -> Arc<Process> {
    let names = [("service.name", "worker"), ("service.instance.id", instance)];
    store.process(resource(&names)).unwrap()
}

/// Receives spans of one other process, each as a request of its own. Returns the stored ones.
fn receive(store: &mut Store, instance: &str, spans: impl IntoIterator<Item = SpanData>) -> usize {
    let process = process(store, instance);
    spans.into_iter().filter(|span| store.receive(span.clone(), &process)).count()
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

/// A segment of `run` from one second to another.
fn segment(trace: u128, id: u64, seconds: (u64, u64), status: &'static str) -> SpanData {
    let mut segment = ended(unit_span(trace, id, 0, "patch", "run-1"), status);
    (segment.start_time, segment.end_time) = (at(seconds.0), at(seconds.1));
    segment
}

fn suspended(trace: u128, id: u64, seconds: (u64, u64), reason: &'static str) -> SpanData {
    let mut segment = segment(trace, id, seconds, status::SUSPENDED);
    segment.attributes.push(kv(a::WORKFLOW_SUSPEND_REASON, reason));
    segment
}

fn ended_agent(trace: u128, id: u64, parent: u64, run: Option<&'static str>) -> SpanData {
    let mut agent = ended(agent(trace, id, parent, run), status::SUCCESS);
    agent.attributes.push(kv(a::AGENT_RETRY_COUNT, 2));
    agent
}

fn call(trace: u128, id: u64, parent: u64) -> SpanData {
    let mut call = span(trace, id, parent, "chat");
    call.attributes = vec![
        kv(gen_ai::OPERATION_NAME, "chat"),
        kv(gen_ai::USAGE_INPUT_TOKENS, 10),
        kv(gen_ai::USAGE_OUTPUT_TOKENS, 5),
        kv(gen_ai::USAGE_COST, 0.5),
    ];
    call
}

fn run(store: &Store) -> Value {
    let all = updates(store, &mut Cursor::default(), Some("run-1"));
    assert_eq!(all["runs"].as_array().unwrap().len(), 1, "{all:#}");
    all["runs"][0].clone()
}

/// All orders of the numbers below `length`.
fn orders(length: usize) -> Vec<Vec<usize>> {
    if length == 0 {
        return vec![Vec::new()];
    }
    let insert = |order: Vec<usize>| {
        (0..length).map(move |place| {
            let mut order = order.clone();
            order.insert(place, length - 1);
            order
        })
    };
    orders(length - 1).into_iter().flat_map(insert).collect()
}

#[test]
fn a_run_of_three_processes_is_the_same_in_every_order() {
    let spans = [
        ("one", suspended(1, 1, (100, 110), "approval")),
        ("one", ended_agent(1, 2, 1, Some("run-1"))),
        ("two", suspended(2, 3, (120, 130), "approval")),
        ("two", call(2, 5, 4)),
        ("two", ended_agent(2, 4, 3, Some("run-1"))),
        ("three", segment(3, 6, (140, 150), status::SUCCESS)),
    ];
    let orders = orders(spans.len());
    assert_eq!(orders.len(), 720);
    for order in orders {
        let mut store = store(StoreLimits::default());
        for index in &order {
            let (process, span) = &spans[*index];
            assert_eq!(receive(&mut store, process, [span.clone()]), 1);
        }
        let run = run(&store);
        assert_eq!(run["state"], "success", "{order:?}");
        assert_eq!((&run["name"], &run["trigger"]), (&"patch".into(), &trigger::MANUAL.into()));
        assert_eq!((&run["started"], &run["ended"]), (&json_micros(100), &json_micros(150)));
        assert_eq!(run["segments"], 3, "{order:?}");
        assert_eq!((&run["agentsStarted"], &run["agentsEnded"]), (&2.into(), &2.into()));
        assert_eq!((&run["retries"], &run["inputTokens"]), (&4.into(), &10.into()), "{order:?}");
        assert_eq!((&run["outputTokens"], &run["cost"]), (&5.into(), &0.5.into()), "{order:?}");
        let totals = store.runs.totals;
        assert_eq!((totals.started, totals.success, totals.running), (1, 1, 0), "{order:?}");
        let all = updates(&store, &mut Cursor::default(), Some("run-1"));
        assert_eq!(all["detail"]["spans"].as_array().unwrap().len(), spans.len());
    }
}

fn json_micros(second: u64) -> Value {
    micros(at(second)).into()
}

#[test]
fn a_span_that_is_delivered_again_changes_nothing() {
    let mut store = store(StoreLimits::default());
    let spans = [
        call(1, 3, 2),
        ended_agent(1, 2, 1, Some("run-1")),
        segment(1, 1, (100, 110), status::FAILED),
    ];
    assert_eq!(receive(&mut store, "one", spans.clone()), 3);
    let first = (run(&store), store.bytes(), store.version());
    assert_eq!(receive(&mut store, "one", spans), 3);
    assert_eq!((run(&store), store.bytes(), store.version()), first);
}

#[test]
fn the_latest_segment_decides_and_an_open_one_of_this_process_is_running() {
    let mut store = store(StoreLimits::default());
    receive(&mut store, "two", [suspended(2, 2, (120, 130), "handed over")]);
    assert_eq!(run(&store)["state"], "suspended");
    // Earlier, and later delivered.
    receive(&mut store, "one", [suspended(1, 1, (100, 110), "approval")]);
    assert_eq!(run(&store)["state"], "suspended");
    let third = unit_span(3, 3, 0, "patch", "run-1");
    store.apply(Message::Started(third.clone()));
    assert_eq!(run(&store)["state"], "running");
    receive(&mut store, "four", [suspended(4, 4, (90, 95), "approval")]);
    assert_eq!(run(&store)["state"], "running", "this process executes it");
    store.apply(Message::Ended(ended(third, status::SUCCESS)));
    assert_eq!(
        (&run(&store)["state"], &run(&store)["segments"]),
        (&json(State::Success), &4.into())
    );
}

#[test]
fn a_decision_that_arrives_before_its_segment_ends_the_wait() {
    let mut approval = span(2, 9, 0, WORKFLOW_APPROVAL);
    approval.attributes =
        vec![kv(a::WORKFLOW_APPROVAL_ID, "approval-1"), kv(a::WORKFLOW_RUN_ID, "run-1")];
    (approval.start_time, approval.end_time) = (at(100), at(115));
    let waits = suspended(1, 1, (100, 110), "approval");
    for spans in [[approval.clone(), waits.clone()], [waits.clone(), approval]] {
        let mut store = store(StoreLimits::default());
        receive(&mut store, "one", spans);
        assert_eq!(run(&store)["state"], "running");
    }
    let mut store = store(StoreLimits::default());
    receive(&mut store, "one", [waits]);
    assert_eq!(run(&store)["state"], "waiting");
}

#[test]
fn an_open_span_of_this_process_has_children_of_another_one() {
    let mut store = store(StoreLimits::default());
    let own = unit_span(1, 1, 0, "patch", "run-1");
    store.apply(Message::Started(own.clone()));
    // Without the id of the run: the sender has the trace only.
    let agent = ended_agent(1, 2, 1, None);
    receive(&mut store, "two", [call(1, 3, 2), agent]);
    let detail = updates(&store, &mut Cursor::default(), Some("run-1"));
    let of_agent = &detail["detail"]["spans"][2];
    assert_eq!((&of_agent["run"], &of_agent["process"][1]), (&"run-1".into(), &"two".into()));
    assert_eq!(detail["detail"]["spans"][0].get("process"), None);
    let counted = run(&store);
    assert_eq!((&counted["agentsEnded"], &counted["inputTokens"]), (&1.into(), &10.into()));
    store.apply(Message::Ended(ended(own, status::SUCCESS)));
    assert_eq!(run(&store)["state"], "success");
}

#[test]
fn agents_whose_workflow_arrives_last_belong_to_it() {
    let mut store = store(StoreLimits::default());
    let request = span(1, 2, 1, "POST /scan");
    let spans = [call(1, 5, 4), ended_agent(1, 4, 3, None), ended_agent(1, 3, 2, None), request];
    receive(&mut store, "two", spans);
    let before = updates(&store, &mut Cursor::default(), None);
    assert_eq!((&before["runs"][0]["isAgent"], &before["listed"]), (&true.into(), &1.into()));
    receive(&mut store, "one", [segment(1, 1, (100, 2_000), status::SUCCESS)]);
    let run = run(&store);
    assert_eq!((&run["agentsStarted"], &run["agentsEnded"]), (&2.into(), &2.into()));
    assert_eq!((&run["inputTokens"], &run["state"]), (&10.into(), &json(State::Success)));
    let totals = store.runs.totals;
    assert_eq!((totals.started, totals.success, totals.unlisted), (1, 1, 0), "{totals:?}");
    let trace = store.trace(TraceId::from_bytes(1_u128.to_be_bytes())).unwrap();
    let strangers = trace.spans.iter().filter(|span| span.run.as_deref() != Some("run-1"));
    assert_eq!(strangers.count(), 0);
}

#[test]
fn an_agent_below_a_request_is_a_run_that_ends() {
    let mut store = store(StoreLimits::default());
    store.apply(Message::Started(span(1, 1, 0, "POST /scan")));
    store.apply(Message::Started(agent(1, 2, 1, None)));
    store.apply(Message::Ended(ended(agent(1, 2, 1, None), status::FAILED)));
    store.apply(Message::Ended(span(1, 1, 0, "POST /scan")));
    let update = updates(&store, &mut Cursor::default(), None);
    assert_eq!(update["runs"][0]["state"], json(State::Failed));
}

#[test]
fn a_trace_of_many_received_spans_evicts_no_other_one() {
    let mut store = store(StoreLimits { bytes: 32 * 1024 * 1024, ..SMALL });
    run_to_end(&mut store, 1, "first");
    let process = process(&mut store, "two");
    for id in 1..200 {
        assert!(store.receive(agent(2, id, 0, Some("run-1")), &process));
    }
    assert_eq!(store.dropped.evicted_traces, 0);
    assert!(store.runs.get("first").is_some());
}

#[test]
fn spans_that_arrive_before_their_units_are_kept_longer_than_other_traces() {
    let mut store = store(StoreLimits { finished_traces: 10, ..SMALL });
    let process = process(&mut store, "two");
    for trace in 1..=9 {
        store.receive(call(trace, 2, 1), &process);
    }
    for trace in 100..120 {
        run_to_end_without_unit(&mut store, trace);
    }
    for trace in 1..=9 {
        let kept = store.trace(TraceId::from_bytes(u128::to_be_bytes(trace)));
        assert!(kept.is_some(), "{trace}");
    }
    assert_eq!(store.dropped.evicted_traces, 0);
}

fn run_to_end_without_unit(store: &mut Store, trace: u128) {
    store.apply(Message::Started(span(trace, 1, 0, "GET /health")));
    store.apply(Message::Ended(span(trace, 1, 0, "GET /health")));
}

#[test]
fn the_limits_of_the_store_apply_and_what_is_beyond_is_refused() {
    let mut store = store(SMALL);
    let mut large = agent(1, 1, 0, Some("run-1"));
    large.attributes.push(kv("text", "x".repeat(2_000)));
    store.apply(Message::Started(unit_span(1, 1_000, 0, "patch", "run-1")));
    let spans = (1..200_u64).map(|id| {
        let mut span = agent(1, id, 1_000, Some("run-1"));
        span.attributes.push(kv("text", "x".repeat(2_000)));
        span
    });
    let stored = receive(&mut store, "two", spans);
    assert!(stored > 10 && stored < 50, "{stored}");
    assert!(store.bytes() <= SMALL.bytes, "{}", store.bytes());
    assert_eq!(run(&store)["agentsEnded"], 199, "the counters stay exact");
}

#[test]
fn the_number_of_processes_and_their_resources_are_bounded() {
    let mut store = store(StoreLimits::default());
    let long = "x".repeat(3_000);
    let kept: Vec<_> = (0..MAX_PROCESSES)
        .map(|number| {
            let id = number.to_string();
            let attributes = [("a", long.as_str()), ("b", &long), ("service.instance.id", &id)];
            store.process(resource(&attributes)).unwrap()
        })
        .collect();
    assert!(kept.iter().all(|process| process.resource.attributes.len() == 2), "the large ones");
    assert_eq!(kept[7].instance, "7");
    assert!(store.bytes() < MAX_PROCESSES * 8 * 1024, "{}", store.bytes());
    assert!(store.process(resource(&[("service.instance.id", "one more")])).is_none());
    drop(kept);
    assert!(store.process(resource(&[("service.instance.id", "one more")])).is_some());
    assert!(store.bytes() < 1_024, "{}", store.bytes());
}

#[test]
fn secrets_of_other_processes_are_redacted_before_they_are_stored() {
    let mut store = store(StoreLimits::default());
    let names = [("service.name", "worker"), ("api_key", "hunter2")];
    let process = store.process(resource(&names)).unwrap();
    let mut span = agent(1, 1, 0, Some("run-1"));
    span.attributes.push(kv("password", "hunter2"));
    assert!(store.receive(span, &process));
    assert!(!format!("{store:?}").contains("hunter2"));
    let id = TraceId::from_bytes(1_u128.to_be_bytes());
    let trace = store.trace(id).unwrap();
    let content = format!("{:?}", trace.spans[0].to_wire(id));
    assert!(content.contains("password") && !content.contains("hunter2"), "{content}");
}

#[test]
fn a_process_is_recognized_by_its_service_and_instance() {
    let of = |name, id| resource(&[("service.name", name), ("service.instance.id", id)]);
    assert!(is_same_process(&of("worker", "1"), &of("worker", "1")));
    assert!(!is_same_process(&of("worker", "1"), &of("worker", "2")));
    assert!(!is_same_process(&of("worker", "1"), &of("server", "1")));
    let nameless = resource(&[("service.name", "worker")]);
    assert!(!is_same_process(&nameless, &nameless));
}
