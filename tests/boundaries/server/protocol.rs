//! Connections: keep-alive, HTTP/2 streams, upgrades.

use crate::support::{BoundaryCapture, Raw, Server};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use hub_otel::http::ServerLayer;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn requests_that_share_a_connection_are_requests_of_their_own() {
    let capture = BoundaryCapture::new();
    let server =
        Server::start(Router::new().route("/", get(|| async { "hi" })).layer(ServerLayer::new()))
            .await;

    let mut connection = Raw::connect(&server).await;
    for _ in 0..3 {
        connection.send("GET / HTTP/1.1\r\nhost: example.test\r\n\r\n").await;
        connection.read_until("hi").await;
    }

    capture.idle().await;
    let spans = capture.spans();
    assert_eq!(spans.len(), 3);
    let traces: std::collections::HashSet<_> =
        spans.iter().map(|span| span.trace_id.clone()).collect();
    assert_eq!(traces.len(), 3, "one trace each");
    assert!(
        capture.tree().contains("server.address=example.test url.path=/"),
        "{}",
        capture.tree()
    );
    assert_eq!(
        capture.snapshot(),
        "SERVER GET / http.response.status_code=200\n\
         SERVER GET / http.response.status_code=200\n\
         SERVER GET / http.response.status_code=200\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 http.route=/ \
         network.protocol.version=1.1 url.scheme=http | 3\n"
    );
}

#[tokio::test]
async fn http_2_has_its_version_and_each_stream_ends_its_request() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route("/quick", get(|| async { "quick" }))
        .route("/never", get(std::future::pending::<()>))
        .layer(ServerLayer::new());
    let server = Server::start(app).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();

    let never = tokio::spawn(client.get(server.url("/never")).send());
    capture.until_active(1).await;
    for _ in 0..2 {
        let response = client.get(server.url("/quick")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "quick");
    }
    // Resets the stream; the connection stays.
    never.abort();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "SERVER GET /never error.type=cancelled ERROR\n\
         SERVER GET /quick http.response.status_code=200\n\
         SERVER GET /quick http.response.status_code=200\n"
    );
    assert_eq!(
        capture.table(),
        "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration error.type=cancelled http.request.method=GET http.route=/never \
         network.protocol.version=2 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 http.route=/quick \
         network.protocol.version=2 url.scheme=http | 2\n"
    );
}

/// Accepts `Upgrade: echo` and returns the received bytes.
async fn echo(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = TokioIo::new(upgrade.await.unwrap());
        let mut bytes = [0; 4];
        while io.read_exact(&mut bytes).await.is_ok() {
            io.write_all(&bytes).await.unwrap();
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "echo")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn an_upgrade_ends_its_request_when_the_connection_is_handed_over() {
    let capture = BoundaryCapture::new();
    let server =
        Server::start(Router::new().route("/echo", get(echo)).layer(ServerLayer::new())).await;

    let mut connection = Raw::connect(&server).await;
    connection
        .send("GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    connection.read_until("\r\n\r\n").await;
    connection.send("ping").await;
    connection.read_until("ping").await;

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "SERVER GET /echo http.response.status_code=101\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=101 http.route=/echo \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn what_runs_on_an_upgraded_connection_belongs_to_its_request_or_links_to_it() {
    use hub_otel::propagation::{RemoteContext, RunFutureExt as _};

    async fn serve(mut request: Request) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let run = RemoteContext::current();
        let connection = async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            hub_otel::agent("below", "serve").run(async {}).await;
            // The connection outlives its request: a trace of its own, with a link.
            hub_otel::workflow("connection").root().run(async {}).await;
            hub_otel::workflow("linked").root().links([&run]).run(async {}).await;
            io.write_all(b"done").await.unwrap();
        };
        tokio::spawn(connection.in_current_run());
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "echo")
            .body(Body::empty())
            .unwrap()
    }
    let capture = BoundaryCapture::new();
    let app = Router::new().route("/socket", get(serve)).layer(ServerLayer::new());
    let server = Server::start(app).await;
    let mut connection = Raw::connect(&server).await;
    connection
        .send("GET /socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    connection.read_until("done").await;

    let request = capture.named("GET /socket", "Server");
    let spans = capture.spans();
    let agent = spans.named("agent.execute")[0];
    assert_eq!((&agent.trace_id, &agent.parent_id), (&request.trace_id, &request.span_id));
    let workflows = spans.named("workflow.execute");
    assert_eq!(workflows.len(), 2);
    for workflow in workflows {
        assert_ne!(workflow.trace_id, request.trace_id);
        assert_eq!(workflow.parent_id, "");
        assert_eq!(workflow.links[0], request.span_id);
    }
}
