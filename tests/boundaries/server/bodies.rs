//! A request ends when its response's body ends, not before.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::{StreamExt, stream};
use hub_otel::http::ServerLayer;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::ReceiverStream;

#[tokio::test]
async fn a_chunked_body_keeps_its_request_active_until_the_last_chunk() {
    let capture = BoundaryCapture::new();
    let (chunks, body) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let body = Arc::new(Mutex::new(Some(body)));
    let handler = move || async move {
        Body::from_stream(ReceiverStream::new(body.lock().await.take().unwrap()))
    };
    let server =
        Server::start(Router::new().route("/stream", get(handler)).layer(ServerLayer::new())).await;

    let mut response = reqwest::get(server.url("/stream")).await.unwrap();
    chunks.send(Ok("one".into())).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "one");
    capture.until_active(1).await;
    assert!(capture.spans().is_empty(), "ended before its body: {}", capture.tree());

    chunks.send(Ok("two".into())).await.unwrap();
    drop(chunks);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "two");
    assert!(response.chunk().await.unwrap().is_none());

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "SERVER GET /stream http.response.status_code=200\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 http.route=/stream \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn a_body_that_fails_half_way_is_an_error_despite_status_200() {
    let capture = BoundaryCapture::new();
    let handler = || async {
        let broken = stream::iter([Ok("half"), Err(std::io::Error::other("disk"))]);
        Body::from_stream(broken.then(|step| async {
            tokio::task::yield_now().await;
            step
        }))
    };
    let server =
        Server::start(Router::new().route("/broken", get(handler)).layer(ServerLayer::new())).await;

    let response = reqwest::get(server.url("/broken")).await;
    assert!(response.is_err() || response.unwrap().bytes().await.is_err());

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "SERVER GET /broken error.type=body http.response.status_code=200 ERROR\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration error.type=body http.request.method=GET http.response.status_code=200 http.route=/broken \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn responses_without_a_body_end_with_their_head() {
    let capture = BoundaryCapture::new();
    let endless = || async { Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()) };
    let app = Router::new()
        .route("/none", get(|| async { StatusCode::NO_CONTENT }))
        .route("/same", get(move || async move { (StatusCode::NOT_MODIFIED, endless().await) }))
        .route("/head", get(endless))
        .layer(ServerLayer::new());
    let server = Server::start(app).await;

    let client = reqwest::Client::new();
    client.get(server.url("/none")).send().await.unwrap();
    client.get(server.url("/same")).send().await.unwrap();
    client.head(server.url("/head")).send().await.unwrap();

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "SERVER GET /none http.response.status_code=204\n\
         SERVER GET /same http.response.status_code=304\n\
         SERVER HEAD /head http.response.status_code=200\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.active_requests http.request.method=HEAD url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=204 http.route=/none \
         network.protocol.version=1.1 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=304 http.route=/same \
         network.protocol.version=1.1 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=HEAD http.response.status_code=200 http.route=/head \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn a_stream_of_a_declared_length_ends_when_that_much_was_sent() {
    let capture = BoundaryCapture::new();
    let handler = || async {
        let endless = stream::iter([Ok::<_, Infallible>("1234")]).chain(stream::pending());
        ([(header::CONTENT_LENGTH, "4")], Body::from_stream(endless)).into_response()
    };
    let server =
        Server::start(Router::new().route("/four", get(handler)).layer(ServerLayer::new())).await;

    assert_eq!(reqwest::get(server.url("/four")).await.unwrap().text().await.unwrap(), "1234");

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "SERVER GET /four http.response.status_code=200\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 http.route=/four \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}
