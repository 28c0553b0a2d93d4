//! 200 concurrent requests over HTTP/1.1 and HTTP/2: all completed; or a quarter each disconnected
//! before the head, disconnected in the body, completed, and ended by a panic.

use crate::support::{BoundaryCapture, Raw, Server, panic_quietly};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::{StreamExt, future::join_all, stream};
use hub_otel::http::ServerLayer;
use hub_otel_tests::poll;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

const CLIENTS: usize = 200;
const EACH: usize = CLIENTS / 4;
const WITHIN: Duration = Duration::from_secs(30);

fn app(arrived: Arc<AtomicUsize>) -> Router {
    let body = || async {
        let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"chunk")));
        Body::from_stream(chunks.take(4).chain(stream::pending()))
    };
    let slow = move || async move {
        arrived.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    Router::new()
        .route("/slow", get(slow))
        .route("/stream", get(body))
        .route("/quick", get(|| async { "quick" }))
        .route("/panic", get(|| async { panic_quietly() }))
        .layer(ServerLayer::new())
}

/// Until all the slow ones are being served: what hyper never saw is no request.
async fn all_slow(arrived: &AtomicUsize) {
    poll::until_async(WITHIN, async || arrived.load(Ordering::Relaxed) == EACH).await;
}

async fn by_http_1(server: &Server, n: usize, arrived: &AtomicUsize) {
    match n % 4 {
        0 => {
            let _client = Raw::get(server, "/slow").await;
            all_slow(arrived).await;
        }
        1 => Raw::get(server, "/stream").await.read_until("chunk").await,
        2 => Raw::get(server, "/quick").await.read_until("quick").await,
        _ => Raw::get(server, "/panic").await.until_closed().await,
    }
}

async fn by_http_2(client: &reqwest::Client, server: &Server, n: usize, arrived: &AtomicUsize) {
    match n % 4 {
        0 => {
            let request = tokio::spawn(client.get(server.url("/slow")).send());
            all_slow(arrived).await;
            request.abort();
        }
        1 => {
            let mut response = client.get(server.url("/stream")).send().await.unwrap();
            response.chunk().await.unwrap().unwrap();
        }
        2 => {
            let response = client.get(server.url("/quick")).send().await.unwrap();
            assert_eq!(response.text().await.unwrap(), "quick");
        }
        _ => assert!(client.get(server.url("/panic")).send().await.is_err()),
    }
}

/// A few connections: a server allows only so many streams on each.
fn http_2_clients() -> Vec<reqwest::Client> {
    let client = |_| reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    (0..4).map(client).collect()
}

async fn assert_stress_result(capture: &BoundaryCapture, version: &str) {
    capture.until_ended(CLIENTS).await;
    capture.idle().await;
    let expected: String = [
        "SERVER GET /panic error.type=panic ERROR\n",
        "SERVER GET /quick http.response.status_code=200\n",
        "SERVER GET /slow error.type=cancelled ERROR\n",
        "SERVER GET /stream error.type=cancelled http.response.status_code=200 ERROR\n",
    ]
    .map(|line| line.repeat(EACH))
    .concat();
    assert_eq!(capture.outcomes(), expected);
    let duration = "http.server.request.duration";
    let rest = format!("network.protocol.version={version} url.scheme=http | {EACH}\n");
    assert_eq!(
        capture.table(),
        format!(
            "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
             {duration} error.type=cancelled http.request.method=GET http.response.status_code=200 \
             http.route=/stream {rest}\
             {duration} error.type=cancelled http.request.method=GET http.route=/slow {rest}\
             {duration} error.type=panic http.request.method=GET http.route=/panic {rest}\
             {duration} http.request.method=GET http.response.status_code=200 http.route=/quick {rest}"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_disconnects_and_panics_leave_nothing_active_and_count_every_request_once() {
    let capture = BoundaryCapture::new();
    let arrived = Arc::new(AtomicUsize::new(0));
    let server = Server::start(app(arrived.clone())).await;
    join_all((0..CLIENTS).map(|n| by_http_1(&server, n, &arrived))).await;
    assert_stress_result(&capture, "1.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_disconnects_and_panics_over_http_2() {
    let capture = BoundaryCapture::new();
    let arrived = Arc::new(AtomicUsize::new(0));
    let server = Server::start(app(arrived.clone())).await;
    let clients = http_2_clients();
    let by = |n: usize| by_http_2(&clients[n / 4 % clients.len()], &server, n, &arrived);
    join_all((0..CLIENTS).map(by)).await;
    assert_stress_result(&capture, "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_concurrent_requests_are_all_active_and_all_completed() {
    for (version, clients) in [("1.1", vec![reqwest::Client::new()]), ("2", http_2_clients())] {
        let capture = BoundaryCapture::new();
        let gate = Arc::new(Semaphore::new(0));
        let open = gate.clone();
        let handler = move || async move {
            let _passed = gate.acquire().await.unwrap();
            "through"
        };
        let app = Router::new().route("/gate/{n}", get(handler)).layer(ServerLayer::new());
        let server = Server::start(app).await;
        let responses = join_all((0..CLIENTS).map(|n| {
            let request = clients[n % clients.len()].get(server.url(&format!("/gate/{n}"))).send();
            async { request.await.unwrap().text().await.unwrap() }
        }));
        let (responses, ()) = tokio::join!(responses, async {
            capture.until_active(200).await;
            open.add_permits(CLIENTS);
        });
        assert!(responses.iter().all(|response| response == "through"));
        capture.until_ended(CLIENTS).await;
        capture.idle().await;
        assert_eq!(
            capture.snapshot(),
            format!(
                "{}\n\
                 http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
                 http.server.request.duration http.request.method=GET http.response.status_code=200 \
                 http.route=/gate/{{n}} network.protocol.version={version} url.scheme=http | 200\n",
                "SERVER GET /gate/{n} http.response.status_code=200\n".repeat(CLIENTS)
            )
        );
    }
}
