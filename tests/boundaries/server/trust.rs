//! How far a caller is believed.

use crate::support::{Server, Watched};
use axum::Router;
use axum::routing::get;
use hub_otel::http::{ServerLayer, Trust};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;

const CALLER: &str = "b7ad6b7169203331";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Sends one request with a trace and baggage to a server that trusts so far.
async fn send(layer: ServerLayer) -> (Watched, String) {
    let watched = Watched::new();
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
    watched.idle().await;
    (watched, seen)
}

#[tokio::test]
async fn by_default_the_trace_goes_on_and_baggage_is_dropped() {
    let (watched, baggage) = send(ServerLayer::new()).await;
    let span = watched.only();
    assert_eq!(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_id, CALLER);
    assert_eq!(baggage, "");
}

#[tokio::test]
async fn own_callers_may_bring_baggage() {
    let (watched, baggage) = send(ServerLayer::new().trust(Trust::TraceAndBaggage)).await;
    assert_eq!(watched.only().parent_id, CALLER);
    assert_eq!(baggage, "me");
}

#[tokio::test]
async fn at_a_public_edge_a_stranger_gets_a_trace_of_its_own() {
    let (watched, baggage) = send(ServerLayer::new().trust(Trust::Nothing)).await;
    let span = watched.only();
    assert_ne!(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_id, "");
    assert!(span.links.is_empty());
    assert_eq!(baggage, "");
}

#[tokio::test]
async fn a_link_points_at_the_stranger_without_belonging_to_it() {
    let (watched, _) = send(ServerLayer::new().trust(Trust::Link)).await;
    let span = watched.only();
    assert_eq!(span.parent_id, "");
    assert_eq!(span.links, [CALLER]);
}

#[tokio::test]
async fn garbage_in_traceparent_starts_a_trace_of_its_own() {
    for garbage in [
        "",
        "00-0-0-0",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    ] {
        let watched = Watched::new();
        let server =
            Server::start(Router::new().route("/", get(|| async {})).layer(ServerLayer::new()))
                .await;
        reqwest::Client::new()
            .get(server.url("/"))
            .header("traceparent", garbage)
            .send()
            .await
            .unwrap();
        watched.idle().await;
        let span = watched.only();
        assert!(!span.trace_id.is_empty(), "{garbage}");
        assert_eq!(span.parent_id, "", "{garbage}");
    }
}
