//! Calls of models and tools: spans, facts, outcomes.

use futures_util::stream::{self, Stream, StreamExt};
use hub_otel::testing::{Capture, Settings, capture};
use hub_otel::{LlmRequest, TimedOut, Usage, current, instrument_agent, instrument_llm};
use hub_otel::{instrument_tool, instrument_workflow};
use std::time::Duration;

#[derive(Debug, hub_otel::ErrorType)]
enum ModelError {
    RateLimited,
    #[hub(timed_out)]
    Late(TimedOut),
}

impl From<TimedOut> for ModelError {
    fn from(late: TimedOut) -> Self {
        Self::Late(late)
    }
}

struct Client {
    model: String,
}

#[instrument_llm(provider = "openai", model = self.model)]
impl Client {
    async fn chat(&self, prompt: &str) -> Result<String, ModelError> {
        if prompt.is_empty() {
            return Err(ModelError::RateLimited);
        }
        current()
            .request(LlmRequest::new().temperature(0.5).max_tokens(512).choice_count(1))
            .usage(Usage::new(1_200, 85).cache_read(1_000).cache_write(100).reasoning(40))
            .response("gpt-4o-2024-08-06", "chatcmpl-1", ["stop"]);
        Ok(prompt.to_owned())
    }

    #[hub(timeout = Duration::from_millis(5))]
    async fn slow(&self) -> Result<String, ModelError> {
        std::future::pending().await
    }

    #[hub]
    fn block(&self) -> Result<usize, ModelError> {
        Ok(self.model.len())
    }
}

fn client() -> Client {
    Client { model: "gpt-4o".into() }
}

#[instrument_tool(call_id = call_id)]
async fn search(call_id: Option<&str>, query: &str) -> Result<String, ModelError> {
    std::future::ready(()).await;
    current().record("query.length", query.len());
    Ok(format!("{query}: {call_id:?}"))
}

#[tokio::test]
async fn a_call_of_a_model_and_of_a_tool_have_the_names_kinds_and_attributes_of_the_conventions() {
    #[instrument_workflow(id = "support", run_id = "run")]
    async fn workflow() -> Result<(), ModelError> {
        agent().await
    }
    #[instrument_agent(id = "answerer", action = "answer", run_id = "agent-run")]
    async fn agent() -> Result<(), ModelError> {
        client().chat("hello").await?;
        search(Some("call_1"), "rust").await?;
        search(None, "otel").await.map(drop)
    }
    let capture = capture();
    workflow().await.unwrap();
    insta::assert_snapshot!(capture.spans().tree(), @r#"
    workflow.execute Ok
      - workflow.cost.usd=0.0026
      - workflow.duration.ms=…
      - workflow.id=support
      - workflow.name=support
      - workflow.run.id=run
      - workflow.status=SUCCESS
      - workflow.trigger=manual
      agent.execute Ok
        - agent.action=answer
        - agent.cost.usd=0.0026
        - agent.duration.ms=…
        - agent.id=answerer
        - agent.run.id=agent-run
        - agent.status=SUCCESS
        - workflow.id=support
        - workflow.run.id=run
        chat gpt-4o (Client) Ok
          - gen_ai.operation.name=chat
          - gen_ai.provider.name=openai
          - gen_ai.request.max_tokens=512
          - gen_ai.request.model=gpt-4o
          - gen_ai.request.temperature=0.5
          - gen_ai.response.finish_reasons=["stop"]
          - gen_ai.response.id=chatcmpl-1
          - gen_ai.response.model=gpt-4o-2024-08-06
          - gen_ai.usage.cache_creation.input_tokens=100
          - gen_ai.usage.cache_read.input_tokens=1000
          - gen_ai.usage.cost=0.0026
          - gen_ai.usage.input_tokens=1200
          - gen_ai.usage.output_tokens=85
          - gen_ai.usage.reasoning.output_tokens=40
          - hub_otel.status=SUCCESS
          - workflow.id=support
          - workflow.run.id=run
        execute_tool search Ok
          - gen_ai.operation.name=execute_tool
          - gen_ai.tool.call.id=call_1
          - gen_ai.tool.name=search
          - hub_otel.status=SUCCESS
          - query.length=4
          - workflow.id=support
          - workflow.run.id=run
        execute_tool search Ok
          - gen_ai.operation.name=execute_tool
          - gen_ai.tool.name=search
          - hub_otel.status=SUCCESS
          - query.length=4
          - workflow.id=support
          - workflow.run.id=run
    "#);
    let spans = capture.spans();
    assert_eq!(spans.named("chat gpt-4o")[0].kind, "Client");
    assert_eq!(spans.named("execute_tool search")[0].kind, "Internal");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn calls_have_metrics_of_their_own_and_are_not_counted_as_agents() {
    let capture = capture();
    client().chat("hello").await.unwrap();
    client().chat("").await.unwrap_err();
    search(None, "rust").await.unwrap();
    assert_eq!(words("a bb").count().await, 2);
    let metrics = capture.metrics();
    let calls = "gen_ai.client.operation.duration";
    assert_eq!(metrics.value(calls, &[("gen_ai.request.model", "gpt-4o")]), 3.0);
    assert_eq!(metrics.value(calls, &[("error.type", "rate_limited")]), 1.0);
    assert_eq!(metrics.value("gen_ai.client.operation.time_to_first_chunk", &[]), 1.0);
    assert_eq!(metrics.value("gen_ai.client.token.usage", &[("gen_ai.token.type", "input")]), 2.0);
    let tool = [("gen_ai.tool.name", "search")];
    assert_eq!(metrics.value("gen_ai.execute_tool.duration", &tool), 1.0);
    let table = metrics.table();
    assert!(!table.contains("agent.runs") && !table.contains("workflow.runs"), "{table}");
}

/// Status, span status and error type of the only span.
fn outcome(capture: &Capture) -> [String; 3] {
    let spans = capture.spans();
    let span = spans.iter().next().unwrap();
    let status = span.status.split(':').next().unwrap_or_default().to_owned();
    [span.text("hub_otel.status"), status, span.text("error.type")]
}

#[tokio::test]
async fn outcomes_of_calls_are_those_of_agents() {
    let failed = capture();
    client().chat("").await.unwrap_err();
    assert_eq!(outcome(&failed), ["FAILED", "Error", "rate_limited"]);
    drop(failed);

    let timed_out = capture();
    client().slow().await.unwrap_err();
    assert_eq!(outcome(&timed_out), ["TIMED_OUT", "Error", "timeout"]);
    drop(timed_out);

    let cancelled = capture();
    let mut dropped = Box::pin(client_pending());
    assert!(futures_util::poll!(&mut dropped).is_pending());
    drop(dropped);
    assert_eq!(outcome(&cancelled), ["CANCELLED", "Unset", ""]);
    drop(cancelled);

    let panicked = capture();
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(outcome(&panicked), ["FAILED", "Error", "panic"]);
    drop(panicked);

    let succeeded = capture();
    assert_eq!(client().block().unwrap(), 6);
    assert_eq!(outcome(&succeeded), ["SUCCESS", "Ok", ""]);
}

#[instrument_llm(model = "m")]
async fn client_pending() {
    std::future::pending::<()>().await;
}

#[instrument_tool]
fn panics() {
    panic!("a tool fails");
}

#[instrument_llm(provider = "openai", model = "gpt-4o")]
fn words(prompt: &str) -> impl Stream<Item = Result<String, ModelError>> + use<> {
    let words: Vec<_> = prompt.split(' ').map(str::to_owned).collect();
    stream::iter(words).map(|word| {
        if word == "fail" {
            return Err(ModelError::RateLimited);
        }
        current().usage(Usage::new(3, word.len() as u64));
        Ok(word)
    })
}

#[tokio::test]
async fn the_first_item_of_a_stream_is_the_first_chunk_and_the_last_usage_counts() {
    let capture = capture();
    assert_eq!(words("a bb ccc").count().await, 3);
    let spans = capture.spans();
    let span = spans.named("chat gpt-4o")[0];
    assert_eq!(span.text("gen_ai.usage.output_tokens"), "3");
    assert_eq!(span.text("gen_ai.request.stream"), "true");
    assert!(span.attributes.contains_key("gen_ai.response.time_to_first_chunk"));
    drop(capture);

    let capture = hub_otel::testing::capture();
    assert_eq!(words("fail").count().await, 1);
    let spans = capture.spans();
    let span = spans.named("chat gpt-4o")[0];
    assert!(!span.attributes.contains_key("gen_ai.response.time_to_first_chunk"), "no chunk came");
    assert_eq!(span.text("error.type"), "rate_limited");
}

#[tokio::test]
async fn builders_and_attributes_record_the_same() {
    let capture = capture();
    let request = || LlmRequest::new().temperature(0.5).seed(7).stop_sequences(["a", "b"]);
    hub_otel::llm("openai", "text-embedding-3-small")
        .operation("embeddings")
        .request(request().dimensions(256))
        .run(async {
            current().usage(Usage::of_input(12));
        })
        .await;
    hub_otel::retrieval("handbook").provider("pinecone").call(|| ());
    hub_otel::tool("search").call_id("call_1").call(|| ());
    hub_otel::llm("openai", "o3").run_stream_with(stream::iter([1, 2]), |_, _| {}).count().await;
    insta::assert_snapshot!(capture.spans().tree(), @r#"
    embeddings text-embedding-3-small (Client) Ok
      - gen_ai.embeddings.dimension.count=256
      - gen_ai.operation.name=embeddings
      - gen_ai.provider.name=openai
      - gen_ai.request.model=text-embedding-3-small
      - gen_ai.request.seed=7
      - gen_ai.request.stop_sequences=["a", "b"]
      - gen_ai.request.temperature=0.5
      - gen_ai.usage.cost=0.00000024
      - gen_ai.usage.input_tokens=12
      - hub_otel.status=SUCCESS
    retrieval handbook (Client) Ok
      - gen_ai.data_source.id=handbook
      - gen_ai.operation.name=retrieval
      - gen_ai.provider.name=pinecone
      - hub_otel.status=SUCCESS
    execute_tool search Ok
      - gen_ai.operation.name=execute_tool
      - gen_ai.tool.call.id=call_1
      - gen_ai.tool.name=search
      - hub_otel.status=SUCCESS
    chat o3 (Client) Ok
      - gen_ai.operation.name=chat
      - gen_ai.provider.name=openai
      - gen_ai.request.model=o3
      - gen_ai.request.stream=true
      - gen_ai.response.time_to_first_chunk=…
      - hub_otel.status=SUCCESS
      - hub_otel.stream.first_item.ms=…
      - hub_otel.stream.items=2
    "#);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_retry_in_a_call_counts_for_the_agent() {
    #[instrument_agent(id = "a", action = "x")]
    async fn agent() {
        retried().await;
        hub_otel::tool("t").call(|| {
            current().record_retry("unreachable");
        });
    }
    #[instrument_llm(model = "m")]
    async fn retried() {
        current().record_retry_after("rate_limited", Duration::from_millis(5));
    }
    let capture = Settings::new().allow_root_agents().capture();
    agent().await;
    assert_eq!(capture.spans().named("agent.execute")[0].text("agent.retry.count"), "2");
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.retry.count", &[("agent_id", "a")]), 2.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn facts_of_a_model_outside_its_call_are_not_recorded() {
    #[instrument_agent(id = "a", action = "x")]
    async fn agent() {
        current().usage(Usage::new(1, 1)).response("m", None, ["stop"]).first_chunk();
        current().request(LlmRequest::new().temperature(1.0));
    }
    let capture = Settings::new().allow_root_agents().capture();
    agent().await;
    current().usage(Usage::new(1, 1));
    let tree = capture.spans().tree();
    assert!(!tree.contains("usage") && !tree.contains("response"), "{tree}");
}

#[tokio::test]
async fn an_agent_that_a_tool_calls_belongs_to_the_run() {
    #[instrument_tool]
    async fn delegate() {
        hub_otel::agent("inner", "x").run(async {}).await;
    }
    let capture = capture();
    hub_otel::workflow("w").run_id("run").run(delegate()).await;
    assert_eq!(capture.spans().named("agent.execute")[0].text("workflow.run.id"), "run");
    assert_eq!(
        capture.spans().names(),
        "workflow.execute\n  execute_tool delegate\n    agent.execute\n"
    );
    capture.conformance().unwrap();
}

#[test]
fn unsampled_calls_are_counted() {
    let capture = Settings::new().unsampled().capture();
    hub_otel::llm("openai", "gpt-4o").call(|| {
        current().usage(Usage::new(1, 1)).response("m", "id", ["stop"]).first_chunk();
    });
    assert!(capture.spans().is_empty());
    let calls = capture.metrics().value("gen_ai.client.operation.duration", &[]);
    assert_eq!(calls, 1.0, "counted");
}
