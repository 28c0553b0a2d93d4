//! Calls that fail, break or are dropped.

use super::{calls, chat, client, send, start};
use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use hub_otel_tests::ports::Closed;
use scripted_openai::Reply;
use serde_json::json;
use std::time::Duration;
use tower::Service;

/// Returns the spans without what a request always has.
fn outcomes(capture: &BoundaryCapture) -> String {
    let tree = calls(capture);
    let is_boring = |word: &&str| {
        word.starts_with("gen_ai.request")
            || word.starts_with("gen_ai.operation")
            || word.starts_with("gen_ai.provider")
    };
    let lines = tree
        .lines()
        .map(|line| line.split(' ').filter(|word| !is_boring(word)).collect::<Vec<_>>().join(" "));
    lines.map(|line| line + "\n").collect()
}

#[tokio::test]
async fn an_error_status_fails_the_call_by_its_code_read_or_not() {
    let capture = BoundaryCapture::new();
    let server = start([Reply::status(429, "c4n4ry"), Reply::status(500, "c4n4ry")]).await;
    let response = send(chat(&server, false)).await.expect("a response");
    assert_eq!(response.status(), 429);
    drop(response);
    let response = send(chat(&server, true)).await.expect("a response");
    assert!(response.text().await.expect("a body").contains("c4n4ry"), "the error passes");
    assert_eq!(
        outcomes(&capture),
        "CLIENT chat gpt-4o-mini error.type=429 hub_otel.status=FAILED Error: 429\n\
         CLIENT chat gpt-4o-mini error.type=500 hub_otel.status=FAILED Error: 500\n"
    );
}

#[tokio::test]
async fn a_body_that_is_dropped_in_the_middle_is_cancelled_with_the_facts_so_far() {
    let capture = BoundaryCapture::new();
    let pause = Duration::from_secs(600);
    let reply = || Reply::text("one two three").pause(pause);
    let server = start([reply(), reply()]).await;
    let mut response = send(chat(&server, true)).await.expect("the head");
    assert!(response.chunk().await.expect("a chunk").is_some());
    drop(response);
    let request = client().call(chat(&server, false));
    tokio::time::timeout(Duration::from_millis(50), async {
        let response = request.await.expect("the head");
        response.bytes().await
    })
    .await
    .expect_err("it pauses in the middle");
    let outcomes = outcomes(&capture);
    assert_eq!(outcomes.matches("hub_otel.status=CANCELLED").count(), 2, "{outcomes}");
    assert_eq!(outcomes.matches("gen_ai.response.id=").count(), 1, "{outcomes}");
    assert!(!outcomes.contains("error.type"), "{outcomes}");
}

#[tokio::test]
async fn a_connection_that_fails_or_breaks_fails_the_call() {
    let capture = BoundaryCapture::new();
    let closed = Closed::new();
    let url = format!("{}/v1/chat/completions", closed.endpoint());
    send(super::post(&url, &json!({ "model": "refused" }))).await.expect_err("refused");
    let server = start([Reply::text("one two three").reset_after(2)]).await;
    let response = send(chat(&server, true)).await.expect("the head");
    response.bytes().await.expect_err("the connection breaks");
    let outcomes = outcomes(&capture);
    assert!(
        outcomes.contains("CLIENT chat refused error.type=connect hub_otel.status=FAILED"),
        "{outcomes}"
    );
    assert!(outcomes.contains("error.type=body"), "{outcomes}");
}

/// Starts a server that sends this body, whatever the request is.
pub(super) async fn sends(content_type: &'static str, body: &'static str) -> Server {
    let reply = async move || ([(CONTENT_TYPE, content_type)], body);
    Server::start(Router::new().route("/v1/{*path}", post(reply))).await
}

#[tokio::test]
async fn what_is_not_json_passes_without_facts() {
    let capture = BoundaryCapture::new();
    for (content_type, body) in [
        ("application/json", r#"{"id": "c-1", "usage": {"prompt_to"#),
        ("application/json", r#"{"usage": [1], "choices": {}}"#),
        ("text/event-stream", "data: {\"id\n\ndata: nothing\n\nevent: x\n\n"),
        ("text/html", "<html>"),
    ] {
        let server = sends(content_type, body).await;
        let url = server.url("/v1/chat/completions");
        let response = send(super::post(&url, &json!({ "model": "m" }))).await.expect("the head");
        assert_eq!(response.text().await.expect("a body"), body);
    }
    let outcomes = outcomes(&capture);
    assert_eq!(outcomes, "CLIENT chat m hub_otel.status=SUCCESS Ok\n".repeat(4));
}

#[tokio::test]
async fn an_error_in_a_stream_fails_the_call() {
    let capture = BoundaryCapture::new();
    let body = "data: {\"id\":\"c-1\"}\n\n\
                data: {\"error\":{\"code\":\"server_overloaded\",\"message\":\"c4n4ry\"}}\n\n";
    let server = sends("text/event-stream", body).await;
    let url = server.url("/v1/chat/completions");
    let response = send(super::post(&url, &json!({ "model": "m" }))).await.expect("the head");
    response.bytes().await.expect("a body");
    assert_eq!(
        outcomes(&capture),
        "CLIENT chat m error.type=server_overloaded gen_ai.response.id=c-1 hub_otel.status=FAILED \
         Error: server_overloaded\n"
    );
}

#[tokio::test]
async fn the_responses_api_has_the_same_facts() {
    let capture = BoundaryCapture::new();
    let body = "event: response.created\n\
                data: {\"type\":\"response.created\",\"response\":{\"id\":\"r-1\",\"status\":\"in_progress\"}}\n\n\
                event: response.completed\n\
                data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r-1\",\"model\":\"gpt-5\",\
                \"status\":\"completed\",\"usage\":{\"input_tokens\":9,\"output_tokens\":3}}}\n\n";
    let server = sends("text/event-stream", body).await;
    let url = server.url("/v1/responses");
    let response = send(super::post(&url, &json!({ "model": "gpt-5" }))).await.expect("the head");
    response.bytes().await.expect("a body");
    assert_eq!(
        outcomes(&capture),
        "CLIENT chat gpt-5 gen_ai.response.finish_reasons=[\"completed\"] gen_ai.response.id=r-1 \
         gen_ai.response.model=gpt-5 gen_ai.usage.input_tokens=9 gen_ai.usage.output_tokens=3 \
         hub_otel.status=SUCCESS Ok\n"
    );
}
