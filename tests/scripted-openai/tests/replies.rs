//! The server as a client meets it.

#![expect(clippy::expect_used, reason = "a test may panic, its helpers too")]

use reqwest::{Client, Response};
use scripted_openai::{Account, Reply, Server, Usage};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn post(server: &Server, path: &str, body: Value) -> reqwest::Result<Response> {
    let client = Client::builder().no_proxy().build().expect("a client");
    client.post(format!("{}{path}", server.url())).json(&body).send().await
}

fn chat(stream: bool) -> Value {
    json!({
        "model": "gpt-4o-mini",
        "messages": [{ "role": "user", "content": "one two three" }],
        "stream": stream,
        "stream_options": { "include_usage": true },
    })
}

async fn start(replies: impl IntoIterator<Item = Reply>) -> Server {
    Server::replies(replies).await.expect("a free port")
}

const USAGE: Usage = Usage { input: 1000, output: 50, cached: 600, reasoning: 20 };

#[tokio::test]
async fn a_completion_reports_text_model_and_usage() {
    let server =
        start([Reply::text("hello you").usage(USAGE).model("gpt-4o-mini-2024-07-18")]).await;
    let reply = post(&server, "/chat/completions", chat(false)).await.expect("a response");
    let body: Value = reply.json().await.expect("JSON");
    assert_eq!(body["model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(body["choices"][0]["message"]["content"], "hello you");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens"], 1000);
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 600);
    assert_eq!(body["usage"]["completion_tokens_details"]["reasoning_tokens"], 20);
    assert_eq!(server.account(), Account { calls: 1, failed: 0, usage: USAGE });
    assert_eq!(server.calls()[0].last("user"), "one two three");
}

#[tokio::test]
async fn a_stream_is_words_tool_calls_finish_usage_and_end() {
    let reply = Reply::text("hello you").and_tool_call("look", r#"{"at":"it"}"#).usage(USAGE);
    let server = start([reply]).await;
    let reply = post(&server, "/chat/completions", chat(true)).await.expect("a response");
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    let text = reply.text().await.expect("a body");
    let (events, end) = text.split_at(text.len() - "data: [DONE]\n\n".len());
    assert_eq!(end, "data: [DONE]\n\n");
    let events: Vec<Value> = events
        .split_terminator("\n\n")
        .map(|event| {
            serde_json::from_str(event.strip_prefix("data: ").expect("data")).expect("JSON")
        })
        .collect();
    let deltas = events.iter().map(|event| &event["choices"][0]["delta"]);
    let words: String = deltas.clone().filter_map(|delta| delta["content"].as_str()).collect();
    assert_eq!(words, "hello you");
    let arguments: String = deltas
        .filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, r#"{"at":"it"}"#);
    let [.., finish, usage] = &events[..] else { panic!("{events:?}") };
    assert_eq!(finish["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(finish["usage"], Value::Null);
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["total_tokens"], 1050);
}

#[tokio::test]
async fn usage_that_is_not_requested_is_not_streamed() {
    let server = start([Reply::text("hello")]).await;
    let mut body = chat(true);
    body["stream_options"] = Value::Null;
    let reply = post(&server, "/chat/completions", body).await.expect("a response");
    assert!(!reply.text().await.expect("a body").contains("usage"));
    let usage = Usage { input: 3, output: 1, ..Usage::default() };
    assert_eq!(server.account().usage, usage, "a token per word");
}

#[tokio::test]
async fn embeddings_are_unit_vectors_per_input() {
    let server = start([Reply::embeddings(8)]).await;
    let body = json!({ "model": "text-embedding-3-small", "input": ["a b", "c"] });
    let reply = post(&server, "/embeddings", body).await.expect("a response");
    let body: Value = reply.json().await.expect("JSON");
    let vectors = body["data"].as_array().expect("a list");
    assert_eq!(vectors.len(), 2);
    assert_ne!(vectors[0]["embedding"], vectors[1]["embedding"]);
    let first = vectors[0]["embedding"].as_array().expect("a vector");
    assert_eq!(first.len(), 8);
    let length: f64 = first.iter().filter_map(Value::as_f64).map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-9, "{length}");
    assert_eq!(server.account().usage, Usage { input: 3, ..Usage::default() });
}

#[tokio::test]
async fn an_error_status_has_the_body_of_openai_and_counts_as_failed() {
    let server = start([Reply::status(429, "too many").retry_after(2)]).await;
    let reply = post(&server, "/chat/completions", chat(false)).await.expect("a response");
    assert_eq!(reply.status(), 429);
    assert_eq!(reply.headers()["retry-after"], "2");
    let body: Value = reply.json().await.expect("JSON");
    assert_eq!(body["error"]["type"], "rate_limit_error");
    let beyond = post(&server, "/chat/completions", chat(false)).await.expect("a response");
    assert_eq!(beyond.status(), 500, "no reply is left");
    assert_eq!(server.account(), Account { calls: 2, failed: 2, usage: Usage::default() });
}

#[tokio::test]
async fn a_mistake_of_the_client_is_a_400_that_names_it() {
    let server = Server::start(|_| Reply::text("unused")).await.expect("a free port");
    let body = json!({ "model": "m", "messages": [
        { "role": "tool", "tool_call_id": "call_9", "content": "x" },
    ] });
    let reply = post(&server, "/chat/completions", body).await.expect("a response");
    assert_eq!(reply.status(), 400);
    let text = reply.text().await.expect("a body");
    assert!(text.contains("no tool call has the `tool_call_id` `call_9`"), "{text}");
    let reply = post(&server, "/responses", json!({})).await.expect("a response");
    assert_eq!(reply.status(), 404);
}

#[tokio::test]
async fn a_cut_body_delivers_its_first_pieces_and_then_fails() {
    for reply in [Reply::text("a b c d").truncated_after(3), Reply::text("a b c d").reset_after(3)]
    {
        let server = start([reply]).await;
        let mut reply = post(&server, "/chat/completions", chat(true)).await.expect("a head");
        let mut text = String::new();
        let error = loop {
            match reply.chunk().await {
                Ok(Some(bytes)) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Ok(None) => panic!("an ordinary end after {text}"),
                Err(error) => break error,
            }
        };
        assert!(error.is_body() || error.is_decode(), "{error:?}");
        assert_eq!(text.matches("data: ").count(), 3, "{text}");
        assert_eq!(server.account().failed, 1);
    }
    let server = start([Reply::text("a b").truncated_after(1)]).await;
    let reply = post(&server, "/chat/completions", chat(false)).await.expect("a head");
    reply.text().await.expect_err("half a body");
}

#[tokio::test]
async fn a_reset_before_the_head_is_a_failed_request() {
    let server = start([Reply::reset(), Reply::text("again")]).await;
    let error = post(&server, "/chat/completions", chat(false)).await.expect_err("a reset");
    assert!(error.is_request(), "{error:?}");
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    let reply = post(&server, "/chat/completions", chat(false)).await.expect("a new connection");
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn delays_and_pauses_are_kept() {
    let reply =
        Reply::text("a b").delay(Duration::from_millis(60)).pause(Duration::from_millis(30));
    let server = start([reply]).await;
    let started = Instant::now();
    let reply = post(&server, "/chat/completions", chat(true)).await.expect("a head");
    assert!(started.elapsed() >= Duration::from_millis(60));
    reply.text().await.expect("a body");
    // Role, two words, finish, usage and end mark: five pauses.
    assert!(started.elapsed() >= Duration::from_millis(210), "{:?}", started.elapsed());
}
