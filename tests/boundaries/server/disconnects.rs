//! Clients that disconnect and handlers that panic, over HTTP/1.1 and HTTP/2: every request
//! ends, and none stays active.

use crate::support::{BoundaryCapture, Raw, Server, panic_quietly};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use hub_otel::http::ServerLayer;
use std::convert::Infallible;

fn app() -> Router {
    let never = || stream::pending::<Result<Bytes, Infallible>>();
    let chunk = || stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"xxxx"))]);
    Router::new()
        .route("/never", get(std::future::pending::<()>))
        .route("/head", get(move || async move { Body::from_stream(never()) }))
        .route("/endless", get(move || async move { Body::from_stream(chunk().chain(never())) }))
        .route("/panic", get(|| async { panic_quietly() }))
        .route(
            "/late",
            get(move || async move {
                let panic = stream::once(async {
                    tokio::task::yield_now().await;
                    panic_quietly();
                    Ok(Bytes::new())
                });
                Body::from_stream(chunk().chain(panic))
            }),
        )
        .route("/fine", get(|| async { "fine" }))
        .layer(ServerLayer::new())
}

/// The expected snapshot of a failed request for `path`.
fn left(path: &str, version: &str, error: &str, status: Option<u16>) -> String {
    let status =
        status.map(|status| format!(" http.response.status_code={status}")).unwrap_or_default();
    format!(
        "SERVER GET {path} error.type={error}{status} ERROR\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration error.type={error} http.request.method=GET{status} http.route={path} \
         network.protocol.version={version} url.scheme=http | 1\n"
    )
}

#[tokio::test]
async fn a_disconnect_before_the_head_ends_the_request_as_cancelled() {
    let capture = BoundaryCapture::new();
    let server = Server::start(app()).await;

    let client = Raw::get(&server, "/never").await;
    capture.until_active(1).await;
    drop(client);

    capture.idle().await;
    assert_eq!(capture.snapshot(), left("/never", "1.1", "cancelled", None));
}

#[tokio::test]
async fn a_disconnect_after_the_head_ends_the_request_as_cancelled_with_its_status() {
    let capture = BoundaryCapture::new();
    let server = Server::start(app()).await;

    let mut client = Raw::get(&server, "/head").await;
    client.read_until("\r\n\r\n").await;
    drop(client);

    capture.idle().await;
    assert_eq!(capture.snapshot(), left("/head", "1.1", "cancelled", Some(200)));
}

#[tokio::test]
async fn a_disconnect_in_the_middle_of_a_body_ends_the_request_as_cancelled() {
    let capture = BoundaryCapture::new();
    let server = Server::start(app()).await;

    let mut client = Raw::get(&server, "/endless").await;
    client.read_until("xxxx").await;
    drop(client);

    capture.idle().await;
    assert_eq!(capture.snapshot(), left("/endless", "1.1", "cancelled", Some(200)));
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_request_and_the_server_continues() {
    let capture = BoundaryCapture::new();
    let server = Server::start(app()).await;

    assert!(reqwest::get(server.url("/panic")).await.is_err());
    capture.idle().await;
    assert_eq!(capture.snapshot(), left("/panic", "1.1", "panic", None));
    assert_eq!(reqwest::get(server.url("/fine")).await.unwrap().text().await.unwrap(), "fine");
    capture.idle().await;
}

#[tokio::test]
async fn a_body_that_panics_ends_its_request_too() {
    let capture = BoundaryCapture::new();
    let server = Server::start(app()).await;

    let response = reqwest::get(server.url("/late")).await;
    assert!(response.is_err() || response.unwrap().bytes().await.is_err());

    capture.idle().await;
    assert_eq!(capture.snapshot(), left("/late", "1.1", "panic", Some(200)));
}

#[tokio::test]
async fn a_reset_http_2_stream_ends_its_request_and_the_connection_continues() {
    for (path, error, status) in [
        ("/never", "cancelled", None),
        ("/head", "cancelled", Some(200)),
        ("/endless", "cancelled", Some(200)),
        ("/panic", "panic", None),
        ("/late", "panic", Some(200)),
    ] {
        let capture = BoundaryCapture::new();
        let server = Server::start(app()).await;
        let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        match path {
            "/never" => {
                let request = tokio::spawn(client.get(server.url(path)).send());
                capture.until_active(1).await;
                request.abort();
            }
            "/head" => drop(client.get(server.url(path)).send().await.unwrap()),
            "/endless" => {
                let mut response = client.get(server.url(path)).send().await.unwrap();
                assert_eq!(response.chunk().await.unwrap().unwrap(), "xxxx");
            }
            _ => {
                let response = client.get(server.url(path)).send().await;
                assert!(response.is_err() || response.unwrap().bytes().await.is_err(), "{path}");
            }
        }
        capture.idle().await;
        assert_eq!(capture.snapshot(), left(path, "2", error, status), "{path}");
        let peers = |capture: &BoundaryCapture| -> std::collections::BTreeSet<String> {
            let spans = capture.spans();
            spans
                .iter()
                .map(|span| format!("{:?}", span.attributes.get("network.peer.port")))
                .collect()
        };
        assert_eq!(
            client.get(server.url("/fine")).send().await.unwrap().text().await.unwrap(),
            "fine"
        );
        capture.until_ended(2).await;
        assert_eq!(peers(&capture).len(), 1, "the same connection: {}", capture.tree());
    }
}

#[tokio::test]
async fn a_closed_http_2_connection_ends_all_its_requests() {
    let capture = BoundaryCapture::new();
    let server = Server::start(app()).await;
    let urls = ["/never", "/endless", "/endless"].map(|path| server.url(path));
    let (leave, gone) = tokio::sync::oneshot::channel::<()>();
    // A runtime of its own: the connection is closed with it.
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
            let responses: Vec<_> = urls.map(|url| tokio::spawn(client.get(url).send())).into();
            let _ = gone.await;
            drop(responses);
        });
    });
    capture.until_active(3).await;
    drop(leave);
    client.join().unwrap();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "SERVER GET /endless error.type=cancelled http.response.status_code=200 ERROR\n\
         SERVER GET /endless error.type=cancelled http.response.status_code=200 ERROR\n\
         SERVER GET /never error.type=cancelled ERROR\n"
    );
}
