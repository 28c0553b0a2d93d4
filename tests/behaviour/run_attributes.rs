//! Attributes that a run sets once and that every unit below inherits.

use hub_otel::propagation::{self, RunFnExt as _, RunFutureExt as _};
use hub_otel::testing::{Capture, Settings, capture};
use hub_otel::{Segment, current, instrument_agent, instrument_llm, instrument_tool};
use hub_otel::{agent, instrument_workflow, llm, tool, workflow};
use std::collections::HashMap;

const CONVERSATION: &str = "gen_ai.conversation.id";

#[instrument_tool]
async fn search() {}

#[instrument_llm(provider = "openai", model = "gpt-4o")]
async fn chat() {}

#[instrument_agent(id = "a", action = "x")]
async fn answer() {
    chat().await;
    search().await;
}

/// The spans with the value of `key`.
fn values(capture: &Capture, key: &str) -> String {
    capture.spans().render(|span| match span.text(key).as_str() {
        "" => span.name.clone(),
        value => format!("{} {value}", span.name),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_on_every_unit_below_across_tasks_and_threads() {
    #[instrument_workflow(id = "w", conversation = thread)]
    async fn run(thread: Option<&str>) {
        answer().await;
        tokio::spawn(async { chat().await }.in_current_run()).await.unwrap();
        let blocking = (|| tool("hash").call(|| ())).in_current_run();
        tokio::task::spawn_blocking(blocking).await.unwrap();
    }
    let capture = capture();
    capture.run(run(Some("thread-7"))).await;
    insta::assert_snapshot!(values(&capture, CONVERSATION), @r"
    workflow.execute thread-7
      agent.execute thread-7
        chat gpt-4o thread-7
        execute_tool search thread-7
      chat gpt-4o thread-7
      execute_tool hash thread-7
    ");
    capture.conformance().unwrap();
    drop(capture);

    let capture = hub_otel::testing::capture();
    capture.run(run(None)).await;
    assert!(!capture.spans().tree().contains(CONVERSATION), "an id is never invented");
}

#[tokio::test]
async fn an_attribute_set_late_is_on_the_unit_and_on_those_that_start_later() {
    let capture = capture();
    let body = async {
        answer().await;
        current().session("s-1").run_attribute("tenant.id", "acme").conversation("c");
        chat().await;
        current().run_attribute("tenant.id", "other");
        search().await;
        // Below one agent only.
        agent("b", "x")
            .run(async {
                current().run_attribute("tenant.id", "own");
                chat().await;
            })
            .await;
        search().await;
    };
    workflow("w").run(body).await;
    insta::assert_snapshot!(values(&capture, "tenant.id"), @r"
    workflow.execute other
      agent.execute
        chat gpt-4o
        execute_tool search
      chat gpt-4o acme
      execute_tool search other
      agent.execute own
        chat gpt-4o own
      execute_tool search other
    ");
    assert_eq!(capture.spans().named("workflow.execute")[0].text("session.id"), "s-1");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn the_next_segment_of_a_run_has_the_attributes_of_the_first() {
    let capture = capture();
    let first = async {
        current().suspend("approval").conversation("c-1").run_attribute("tenant.id", "acme");
        current().segment().unwrap()
    };
    let segment = workflow("w").run_with(first, |_, _| {}).await;
    let stored = serde_json::to_string(&segment).unwrap();
    let segment: Segment = serde_json::from_str(&stored).unwrap();
    workflow("w").resume(segment).run(chat()).await;
    let spans = capture.spans();
    assert_eq!(spans.named("chat gpt-4o")[0].text(CONVERSATION), "c-1");
    assert_eq!(spans.named("chat gpt-4o")[0].text("tenant.id"), "acme");
    assert_eq!(spans.named("workflow.execute")[1].text(CONVERSATION), "c-1");
}

#[tokio::test]
async fn a_process_that_receives_the_run_has_the_conversation_and_no_other_attribute() {
    let capture = Settings::new().allow_root_agents().capture();
    let sent = async {
        current().conversation("c 1, ü").run_attribute("tenant.id", "acme");
        let (mut trusted, mut others) = (HashMap::new(), HashMap::new());
        propagation::inject_run(&mut trusted);
        propagation::inject(&mut others);
        (trusted, others)
    };
    let (trusted, others) = workflow("w").run_id("r").run_with(sent, |_, _| {}).await;
    assert_eq!(
        trusted["baggage"],
        "workflow.id=w,workflow.run.id=r,gen_ai.conversation.id=c%201%2C%20%C3%BC"
    );
    assert!(!others.contains_key("baggage"));
    let receive = async |message: &HashMap<String, String>, trust: bool| {
        let caller = match trust {
            true => propagation::extract_run(message),
            false => propagation::extract(message),
        };
        caller.scope(answer()).await;
    };
    receive(&trusted, false).await;
    assert!(!capture.spans().named("chat gpt-4o")[0].attributes.contains_key(CONVERSATION));
    receive(&trusted, true).await;
    let spans = capture.spans();
    assert_eq!(spans.named("chat gpt-4o")[1].text(CONVERSATION), "c 1, ü");
    assert_eq!(spans.named("agent.execute")[1].text(CONVERSATION), "c 1, ü");
    assert_eq!(spans.named("agent.execute")[1].text("tenant.id"), "");
}

#[tokio::test]
async fn builders_set_attributes_and_two_runs_keep_theirs_apart() {
    let capture = capture();
    let run = |tenant: &'static str| {
        workflow(tenant).run_attribute("tenant.id", tenant).conversation(tenant).run(async {
            tokio::task::yield_now().await;
            llm("openai", "o3").run(tokio::task::yield_now()).await;
            tokio::task::yield_now().await;
            llm("openai", "o3").run(tokio::task::yield_now()).await;
        })
    };
    tokio::join!(run("a"), run("b"));
    for call in capture.spans().named("chat o3") {
        assert_eq!(call.text("tenant.id"), call.text("workflow.id"));
        assert_eq!(call.text(CONVERSATION), call.text("workflow.id"));
    }
}
