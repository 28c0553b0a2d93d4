//! Clients that hang up, handlers that panic, over HTTP/1.1 and over HTTP/2: every request ends, and nothing stays active.

use crate::support::{Raw, Server, Watched, panic_quietly};
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

/// What is left behind by the request for `path` that ended so.
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
async fn a_client_gone_before_the_head_leaves_a_cancelled_request() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let client = Raw::get(&server, "/never").await;
    watched.until_active(1).await;
    drop(client);

    watched.idle().await;
    assert_eq!(watched.pictures(), left("/never", "1.1", "cancelled", None));
}

#[tokio::test]
async fn a_client_gone_after_the_head_leaves_a_cancelled_request_with_its_status() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let mut client = Raw::get(&server, "/head").await;
    client.read_until("\r\n\r\n").await;
    drop(client);

    watched.idle().await;
    assert_eq!(watched.pictures(), left("/head", "1.1", "cancelled", Some(200)));
}

#[tokio::test]
async fn a_client_gone_in_the_middle_of_a_body_leaves_a_cancelled_request() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let mut client = Raw::get(&server, "/endless").await;
    client.read_until("xxxx").await;
    drop(client);

    watched.idle().await;
    assert_eq!(watched.pictures(), left("/endless", "1.1", "cancelled", Some(200)));
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_request_and_the_server_lives_on() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    assert!(reqwest::get(server.url("/panic")).await.is_err());
    watched.idle().await;
    assert_eq!(watched.pictures(), left("/panic", "1.1", "panic", None));
    assert_eq!(reqwest::get(server.url("/fine")).await.unwrap().text().await.unwrap(), "fine");
    watched.idle().await;
}

#[tokio::test]
async fn a_body_that_panics_ends_its_request_too() {
    let watched = Watched::new();
    let server = Server::start(app()).await;

    let answer = reqwest::get(server.url("/late")).await;
    assert!(answer.is_err() || answer.unwrap().bytes().await.is_err());

    watched.idle().await;
    assert_eq!(watched.pictures(), left("/late", "1.1", "panic", Some(200)));
}

#[tokio::test]
async fn a_stream_of_http_2_that_is_reset_ends_its_request_and_the_connection_lives_on() {
    for (path, error, status) in [
        ("/never", "cancelled", None),
        ("/head", "cancelled", Some(200)),
        ("/endless", "cancelled", Some(200)),
        ("/panic", "panic", None),
        ("/late", "panic", Some(200)),
    ] {
        let watched = Watched::new();
        let server = Server::start(app()).await;
        let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        match path {
            "/never" => {
                let request = tokio::spawn(client.get(server.url(path)).send());
                watched.until_active(1).await;
                request.abort();
            }
            "/head" => drop(client.get(server.url(path)).send().await.unwrap()),
            "/endless" => {
                let mut answer = client.get(server.url(path)).send().await.unwrap();
                assert_eq!(answer.chunk().await.unwrap().unwrap(), "xxxx");
            }
            _ => {
                let answer = client.get(server.url(path)).send().await;
                assert!(answer.is_err() || answer.unwrap().bytes().await.is_err(), "{path}");
            }
        }
        watched.idle().await;
        assert_eq!(watched.pictures(), left(path, "2", error, status), "{path}");
        let peers = |watched: &Watched| -> std::collections::BTreeSet<String> {
            let spans = watched.spans();
            spans
                .iter()
                .map(|span| format!("{:?}", span.attributes.get("network.peer.port")))
                .collect()
        };
        assert_eq!(
            client.get(server.url("/fine")).send().await.unwrap().text().await.unwrap(),
            "fine"
        );
        watched.until_ended(2).await;
        assert_eq!(peers(&watched).len(), 1, "the same connection: {}", watched.tree());
    }
}

#[tokio::test]
async fn a_connection_of_http_2_that_is_gone_ends_all_its_requests() {
    let watched = Watched::new();
    let server = Server::start(app()).await;
    let urls = ["/never", "/endless", "/endless"].map(|path| server.url(path));
    let (leave, gone) = tokio::sync::oneshot::channel::<()>();
    // A runtime of its own: the connection goes with it.
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
            let answers: Vec<_> = urls.map(|url| tokio::spawn(client.get(url).send())).into();
            let _ = gone.await;
            drop(answers);
        });
    });
    watched.until_active(3).await;
    drop(leave);
    client.join().unwrap();

    watched.idle().await;
    assert_eq!(
        watched.short(),
        "SERVER GET /endless error.type=cancelled http.response.status_code=200 ERROR\n\
         SERVER GET /endless error.type=cancelled http.response.status_code=200 ERROR\n\
         SERVER GET /never error.type=cancelled ERROR\n"
    );
}
