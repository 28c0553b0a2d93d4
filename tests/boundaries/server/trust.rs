//! The propagation headers that a server accepts.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::routing::get;
use hub_otel::http::{ServerLayer, Trust};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;

const CALLER: &str = "b7ad6b7169203331";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Sends one request with a trace and baggage to a server that trusts so far.
async fn send(layer: ServerLayer) -> (BoundaryCapture, String) {
    let capture = BoundaryCapture::new();
    // The layer was built by the caller for its settings only.
    let handler = || async {
        Context::map_current(|cx| {
            cx.baggage().get("who").map(ToString::to_string).unwrap_or_default()
        })
    };
    let server = Server::start(Router::new().route("/", get(handler)).layer(layer)).await;
    let request = reqwest::Client::new()
        .get(server.url("/"))
        .header("traceparent", TRACEPARENT)
        .header("baggage", "who=me");
    let seen = request.send().await.unwrap().text().await.unwrap();
    capture.idle().await;
    (capture, seen)
}

#[tokio::test]
async fn by_default_the_trace_is_continued_and_baggage_is_ignored() {
    let (capture, baggage) = send(ServerLayer::new()).await;
    let span = capture.only();
    assert_eq!(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_id, CALLER);
    assert_eq!(baggage, "");
}

#[tokio::test]
async fn baggage_is_read_from_trusted_callers() {
    let (capture, baggage) = send(ServerLayer::new().trust(Trust::TraceAndBaggage)).await;
    assert_eq!(capture.only().parent_id, CALLER);
    assert_eq!(baggage, "me");
}

#[tokio::test]
async fn without_trust_each_request_starts_a_trace() {
    let (capture, baggage) = send(ServerLayer::new().trust(Trust::Nothing)).await;
    let span = capture.only();
    assert_ne!(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_id, "");
    assert!(span.links.is_empty());
    assert_eq!(baggage, "");
}

#[tokio::test]
async fn a_link_refers_to_the_caller_in_a_trace_of_its_own() {
    let (capture, _) = send(ServerLayer::new().trust(Trust::Link)).await;
    let span = capture.only();
    assert_eq!(span.parent_id, "");
    assert_eq!(span.links, [CALLER]);
}

#[tokio::test]
async fn an_invalid_traceparent_starts_a_trace() {
    for garbage in [
        "",
        "00-0-0-0",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    ] {
        let capture = BoundaryCapture::new();
        let server =
            Server::start(Router::new().route("/", get(|| async {})).layer(ServerLayer::new()))
                .await;
        reqwest::Client::new()
            .get(server.url("/"))
            .header("traceparent", garbage)
            .send()
            .await
            .unwrap();
        capture.idle().await;
        let span = capture.only();
        assert!(!span.trace_id.is_empty(), "{garbage}");
        assert_eq!(span.parent_id, "", "{garbage}");
    }
}

#[tokio::test]
async fn tracestate_and_baggage_in_several_lines_are_one_list() {
    let capture = BoundaryCapture::new();
    let handler = || async {
        let state = Context::map_current(|cx| {
            let span = cx.span().span_context().clone();
            span.trace_state().header()
        });
        let mut run = std::collections::HashMap::new();
        hub_otel::propagation::inject_run(&mut run);
        format!("{state} {}", run.get("baggage").cloned().unwrap_or_default())
    };
    let layer = ServerLayer::new().trust(Trust::TraceAndBaggage);
    let server = Server::start(Router::new().route("/", get(handler)).layer(layer)).await;
    let request = reqwest::Client::new()
        .get(server.url("/"))
        .header("traceparent", TRACEPARENT)
        .header("tracestate", "a=1")
        .header("tracestate", "b=2")
        .header("baggage", "workflow.id=nightly")
        .header("baggage", "workflow.run.id=run-7");
    let seen = request.send().await.unwrap().text().await.unwrap();
    capture.idle().await;
    assert_eq!(seen, "a=1,b=2 workflow.id=nightly,workflow.run.id=run-7");
    assert_eq!(capture.only().parent_id, CALLER);
}

#[tokio::test]
async fn two_lines_of_traceparent_are_not_valid() {
    let capture = BoundaryCapture::new();
    let server =
        Server::start(Router::new().route("/", get(|| async {})).layer(ServerLayer::new())).await;
    let other = TRACEPARENT.replace("0af7", "1af7");
    let request = reqwest::Client::new()
        .get(server.url("/"))
        .header("traceparent", TRACEPARENT)
        .header("traceparent", other);
    request.send().await.unwrap();
    capture.idle().await;
    assert!(capture.only().parent_id.trim_start_matches('0').is_empty());
}
