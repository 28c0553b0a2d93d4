//! Requests without a response: `error.type` is one of a fixed set, and the message of the error,
//! which contains the URL, is not recorded.

use crate::support::{BoundaryCapture, Server, panic_quietly};
use axum::Router;
use axum::routing::get;
use hub_otel::http::Client;
use hub_otel_tests::ports::Closed;
use std::time::Duration;
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_refused_connection_is_connect() {
    let capture = BoundaryCapture::new();
    let closed = Closed::new();
    let error = Client::new()
        .get(format!("http://127.0.0.1:{}/c4n4ry", closed.port()))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_connect());
    capture.idle().await;
    assert_eq!(capture.outcomes(), "CLIENT GET error.type=connect ERROR\n");
    assert!(!capture.tree().contains("c4n4ry"));
    assert!(
        capture.table().contains("http.client.request.duration error.type=connect"),
        "{}",
        capture.table()
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_dns() {
    let capture = BoundaryCapture::new();
    // RFC 6761: `.invalid` never has one.
    let error = Client::new().get("http://nowhere.invalid/").send().await.unwrap_err();
    assert!(error.is_connect());
    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "CLIENT GET error.type=dns ERROR\n\
         \n\
         http.client.request.duration error.type=dns http.request.method=GET server.address=nowhere.invalid \
         server.port=<port> | 1\n"
    );
}

#[tokio::test]
async fn a_caller_that_panics_leaves_a_cancelled_request() {
    let capture = BoundaryCapture::new();
    let server = Server::start(Router::new().route("/", get(std::future::pending::<()>))).await;
    let request = Client::new().get(server.url("/")).send();
    let caller = async {
        tokio::join!(request, async {
            // The request is in flight: it was polled first.
            tokio::task::yield_now().await;
            panic_quietly();
        })
    };
    let panicked =
        futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(caller)).await;
    assert!(panicked.is_err());
    capture.idle().await;
    assert_eq!(capture.outcomes(), "CLIENT GET error.type=cancelled ERROR\n");
}

#[tokio::test]
async fn a_deadline_that_passes_is_timeout() {
    let capture = BoundaryCapture::new();
    let server = Server::start(Router::new().route("/", get(std::future::pending::<()>))).await;
    let request = Client::new().get(server.url("/")).timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
    capture.idle().await;
    assert_eq!(capture.outcomes(), "CLIENT GET error.type=timeout ERROR\n");
}

#[tokio::test]
async fn a_connection_that_breaks_is_request() {
    let capture = BoundaryCapture::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    });
    Client::new().post(format!("http://{address}/")).body("x").send().await.unwrap_err();
    peer.await.unwrap();
    capture.idle().await;
    assert_eq!(capture.outcomes(), "CLIENT POST error.type=request ERROR\n");
}

#[tokio::test]
async fn a_dropped_future_ends_the_request_as_cancelled() {
    let capture = BoundaryCapture::new();
    let server = Server::start(Router::new().route("/", get(std::future::pending::<()>))).await;
    let request = Client::new().get(server.url("/")).send();
    assert!(tokio::time::timeout(Duration::from_millis(50), request).await.is_err());
    capture.idle().await;
    assert_eq!(capture.outcomes(), "CLIENT GET error.type=cancelled ERROR\n");
}

#[tokio::test]
async fn a_request_that_cannot_be_built_was_never_sent() {
    let capture = BoundaryCapture::new();
    assert!(Client::new().get("not a url").send().await.unwrap_err().is_builder());
    capture.idle().await;
    assert_eq!(capture.outcomes(), "");
}
