//! Clients that hang up, handlers that panic: every request ends, and nothing stays active.

use crate::support::{Raw, Server, Watched};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use hub_otel::http::ServerLayer;
use std::convert::Infallible;

fn app() -> Router {
    Router::new()
        .route("/never", get(std::future::pending::<()>))
        .route("/head", get(|| async { Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()) }))
        .route(
            "/endless",
            get(|| async {
                Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![b'x'; 1024]))))
            }),
        )
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        )
        .route(
            "/late",
            get(|| async {
                Body::from_stream(stream::once(async {
                    if true {
                        panic!("on purpose")
                    }
                    Ok::<_, Infallible>(Bytes::new())
                }))
            }),
        )
        .route("/fine", get(|| async { "fine" }))
        .layer(ServerLayer::new())
}

#[tokio::test]
async fn a_client_gone_before_the_head_leaves_a_cancelled_request() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let client = Raw::get(&server, "/never").await;
    watched.until_active(1).await;
    drop(client);

    watched.idle().await;
    assert_eq!(watched.short(), "SERVER GET /never error.type=cancelled\n");
    assert_eq!(
        watched.table(),
        "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration error.type=cancelled http.request.method=GET http.route=/never \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn a_client_gone_after_the_head_leaves_a_cancelled_request_with_its_status() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let mut client = Raw::get(&server, "/head").await;
    client.read_until("\r\n\r\n").await;
    drop(client);

    watched.idle().await;
    assert_eq!(watched.short(), "SERVER GET /head error.type=cancelled http.response.status_code=200\n");
}

#[tokio::test]
async fn a_client_gone_in_the_middle_of_a_body_leaves_a_cancelled_request() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let mut client = Raw::get(&server, "/endless").await;
    client.read_until("xxxx").await;
    drop(client);

    watched.idle().await;
    assert_eq!(watched.short(), "SERVER GET /endless error.type=cancelled http.response.status_code=200\n");
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_request_and_the_server_lives_on() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    assert!(reqwest::get(server.url("/panic")).await.is_err());
    assert_eq!(reqwest::get(server.url("/fine")).await.unwrap().text().await.unwrap(), "fine");

    watched.idle().await;
    assert_eq!(
        watched.short(),
        "SERVER GET /fine http.response.status_code=200\n\
         SERVER GET /panic error.type=panic ERROR\n"
    );
}

#[tokio::test]
async fn a_body_that_panics_ends_its_request_too() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let answer = reqwest::get(server.url("/late")).await;
    assert!(answer.is_err() || answer.unwrap().bytes().await.is_err());

    watched.idle().await;
    assert_eq!(watched.short(), "SERVER GET /late error.type=panic http.response.status_code=200 ERROR\n");
}
