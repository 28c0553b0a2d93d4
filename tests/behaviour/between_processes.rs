//! Propagation between processes: trace context and baggage.

use axum::http::HeaderMap;
use hub_otel::propagation::{self, BaggageAllowList, Extractor, Injector};
use hub_otel::testing::{Settings, capture};
use hub_otel::{agent, workflow};
use std::collections::HashMap;
use std::process::Command;

type Carrier = HashMap<String, String>;

#[tokio::test]
async fn an_agent_that_handles_a_message_joins_the_trace() {
    let capture = capture();
    let sent = async {
        let mut message = Carrier::new();
        propagation::inject(&mut message);
        message
    };
    let message = workflow("w").run_id("run").run_with(sent, |_, _| {}).await;
    assert!(!message.contains_key("baggage"), "baggage is off by default: {message:?}");
    agent("a", "x").parent(propagation::extract(&message)).run(async {}).await;
    let spans = capture.spans();
    assert_eq!(spans.names(), "workflow.execute\n  agent.execute\n");
    assert!(!spans.named("agent.execute")[0].attributes.contains_key("workflow.run.id"));
}

/// Message headers as a list of pairs.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl Injector for Pairs {
    fn set(&mut self, key: &str, value: String) {
        self.0.push((key.to_owned(), value));
    }
}

impl Extractor for Pairs {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

#[tokio::test]
async fn http_headers_and_any_other_carrier_lead_to_the_same_parent() {
    let capture = capture();
    let sent = async {
        let (mut headers, mut pairs, mut map) =
            (HeaderMap::new(), Pairs::default(), Carrier::new());
        propagation::inject_run(&mut headers);
        propagation::inject_run(&mut pairs);
        propagation::inject_run(&mut map);
        (headers, pairs, map)
    };
    let (headers, pairs, map) = workflow("w").run_id("run").run_with(sent, |_, _| {}).await;
    assert_eq!(headers["traceparent"], map["traceparent"].as_str());
    assert_eq!(headers["baggage"], map["baggage"].as_str());
    let parents = [
        propagation::extract_run(&headers),
        propagation::extract_run(&pairs),
        propagation::extract_run(&map),
    ];
    for parent in parents {
        parent.scope(agent("a", "x").run(async {})).await;
    }
    let spans = capture.spans();
    insta::assert_snapshot!(spans.names(), @r"
    workflow.execute
      agent.execute
      agent.execute
      agent.execute
    ");
    for agent in spans.named("agent.execute") {
        assert_eq!(agent.text("workflow.run.id"), "run");
        assert_eq!(agent.text("workflow.id"), "w");
    }
}

#[tokio::test]
async fn the_run_is_propagated_to_the_allowed_destinations() {
    let capture = capture();
    let list = BaggageAllowList::new(["agents.internal"]);
    let sent = async {
        let (mut friend, mut stranger) = (Carrier::new(), Carrier::new());
        list.inject("agents.internal", &mut friend);
        list.inject("example.com", &mut stranger);
        (friend, stranger)
    };
    let (friend, stranger) = workflow("w").run_id("run 7, part;1").run_with(sent, |_, _| {}).await;
    assert!(
        stranger.contains_key("traceparent") && !stranger.contains_key("baggage"),
        "{stranger:?}"
    );
    propagation::extract_run(&friend).scope(agent("a", "x").run(async {})).await;
    let spans = capture.spans();
    let agent = spans.named("agent.execute")[0];
    assert_eq!(agent.text("workflow.run.id"), "run 7, part;1");
    assert_eq!(agent.text("workflow.id"), "w");
    assert!(!capture.metrics().table().contains("run 7"), "never a label");
}

#[tokio::test]
async fn a_child_process_gets_the_context_from_its_environment() {
    let capture = capture();
    let started = async {
        let mut command = Command::new("true");
        propagation::to_env(&mut command);
        let given = command.get_envs().filter_map(|(name, value)| {
            Some((name.to_string_lossy().into_owned(), value?.to_string_lossy().into_owned()))
        });
        given.collect::<Carrier>()
    };
    let variables = workflow("w").run_id("run").run_with(started, |_, _| {}).await;
    let trace = capture.spans().iter().next().unwrap().trace_id.clone();
    assert!(variables["TRACEPARENT"].contains(&trace), "{variables:?}");
    assert_eq!(variables["BAGGAGE"], "workflow.id=w,workflow.run.id=run");
}

#[tokio::test]
async fn the_next_process_of_an_unsampled_run_is_unsampled() {
    let capture = Settings::new().unsampled().capture();
    let sent = async {
        let mut message = Carrier::new();
        propagation::inject(&mut message);
        message
    };
    let message = workflow("w").run_with(sent, |_, _| {}).await;
    let parent = &message["traceparent"];
    assert!(parent.starts_with("00-") && parent.ends_with("-00"), "{parent}");
    drop(capture);
}

#[tokio::test]
async fn an_unsampled_parent_is_followed_and_counted() {
    let capture = Settings::new().parent_based().capture();
    let message = Carrier::from([(
        "traceparent".to_owned(),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".to_owned(),
    )]);
    let run = async {
        agent("a", "x").run(async {}).await;
        let mut next = Carrier::new();
        propagation::inject(&mut next);
        next
    };
    let next = workflow("w").parent(propagation::extract(&message)).run_with(run, |_, _| {}).await;
    assert!(capture.spans().is_empty());
    assert_eq!(next["traceparent"], message["traceparent"], "handed on as it came");
    assert_eq!(capture.metrics().value("agent.runs.total", &[("status", "SUCCESS")]), 1.0);
    agent("a", "x").run(async {}).await;
    assert_eq!(capture.spans().len(), 1, "a root is sampled");
}

#[test]
fn baggage_of_an_untrusted_caller_is_limited() {
    let long = "x".repeat(10_000);
    for baggage in [
        format!("workflow.id={long},workflow.run.id=1"),
        "workflow.id=,workflow.run.id=1".to_owned(),
        "=,;;,workflow.id".to_owned(),
        "workflow.id=%ff%fe;p=1".to_owned(),
    ] {
        let message = Carrier::from([("baggage".to_owned(), baggage)]);
        // Nothing to assert but that it returns: garbage is no identity and no panic.
        let _ = propagation::extract_run(&message);
    }
}
