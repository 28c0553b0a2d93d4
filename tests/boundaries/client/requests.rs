//! Requests with a response.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use hub_otel::http::{Client, ServerLayer};

fn headers_of(headers: &HeaderMap) -> String {
    ["traceparent", "tracestate", "baggage"]
        .iter()
        .filter_map(|name| Some(format!("{name}: {}\n", headers.get(*name)?.to_str().ok()?)))
        .collect()
}

#[tokio::test]
async fn a_call_from_server_to_server_is_one_trace() {
    let capture = BoundaryCapture::new();
    let inner = Router::new()
        .route("/api/users/{id}", get(|headers: HeaderMap| async move { headers_of(&headers) }));
    let inner = Server::start(inner.layer(ServerLayer::new())).await;
    let url = inner.url("/api/users/7?token=c4n4ry");
    let http = Client::new();
    let outer = Router::new().route(
        "/",
        get(move || async move {
            let request = http.get(url).template("/api/users/{id}").bearer_auth("c4n4ry");
            request.send().await.unwrap().text().await.unwrap()
        }),
    );
    let outer = Server::start(outer.layer(ServerLayer::new())).await;

    let seen = reqwest::get(outer.url("/")).await.unwrap().text().await.unwrap();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "SERVER GET / http.response.status_code=200\n\
         \u{20} CLIENT GET /api/users/{id} http.response.status_code=200\n\
         \u{20}   SERVER GET /api/users/{id} http.response.status_code=200\n"
    );
    let client = capture.named("GET /api/users/{id}", "Client");
    assert_eq!(seen, format!("traceparent: 00-{}-{}-01\n", client.trace_id, client.span_id));
    assert!(
        capture.tree().contains(
            "CLIENT GET /api/users/{id} http.request.method=GET http.response.status_code=200 \
             network.peer.address=127.0.0.1 network.peer.port=<port> network.protocol.version=1.1 \
             server.address=127.0.0.1 server.port=<port> url.full=http://127.0.0.1:<port>/api/users/{id} \
             url.template=/api/users/{id}\n"
        ),
        "{}",
        capture.tree()
    );
    assert!(
        capture.table().contains(
            "http.client.request.duration http.request.method=GET http.response.status_code=200 \
             network.protocol.version=1.1 server.address=127.0.0.1 server.port=<port> | 1\n"
        ),
        "{}",
        capture.table()
    );
}

#[tokio::test]
async fn a_client_for_third_parties_sends_no_propagation_header() {
    let capture = BoundaryCapture::new();
    let app =
        Router::new().route("/", get(|headers: HeaderMap| async move { headers_of(&headers) }));
    let server = Server::start(app).await;
    let built = Client::build(reqwest::Client::builder()).unwrap().baggage_to("127.0.0.1");
    for http in [Client::new(), built] {
        let response = http.without_propagation().get(server.url("/")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "");
    }
    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET http.response.status_code=200\nCLIENT GET http.response.status_code=200\n"
    );
}

#[tokio::test]
async fn a_url_shows_its_origin_and_nothing_that_may_be_a_secret() {
    let capture = BoundaryCapture::new();
    let server = Server::start(Router::new().route("/{*path}", post(|| async {}))).await;
    let secret =
        format!("http://user:c4n4ry@{}/services/T0/B0/c4n4ry?key=c4n4ry#c4n4ry", server.address);

    Client::new().post(&secret).send().await.unwrap();
    Client::new().show_path("127.0.0.1").post(server.url("/seen?key=c4n4ry")).send().await.unwrap();

    capture.idle().await;
    let tree = capture.tree();
    // reqwest takes the userinfo out of the URL and into a header.
    assert!(tree.contains("url.full=http://127.0.0.1:<port>/REDACTED\n"), "{tree}");
    assert!(tree.contains("url.full=http://127.0.0.1:<port>/seen\n"), "{tree}");
    assert!(!tree.contains("c4n4ry"), "{tree}");
}

#[tokio::test]
async fn an_error_status_is_the_error_type() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route("/missing", get(|| async { StatusCode::NOT_FOUND }))
        .route("/busy", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let server = Server::start(app).await;
    let http = Client::new();

    http.get(server.url("/missing")).template("/missing").send().await.unwrap();
    // A retry of the caller.
    for resend in 0..2 {
        http.get(server.url("/busy")).template("/busy").resend_count(resend).send().await.unwrap();
    }

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET /busy error.type=503 http.request.resend_count=1 http.response.status_code=503 ERROR\n\
         CLIENT GET /busy error.type=503 http.response.status_code=503 ERROR\n\
         CLIENT GET /missing error.type=404 http.response.status_code=404 ERROR\n"
    );
}

#[tokio::test]
async fn a_request_is_the_same_on_the_wire_as_reqwests_own() {
    let server = Server::start(Router::new().route(
        "/",
        post(|headers: HeaderMap, query: axum::extract::RawQuery, body: String| async move {
            format!(
                "{:?} {:?} {body}",
                headers.get("x-a").and_then(|v| v.to_str().ok().map(str::to_owned)),
                query.0
            )
        }),
    ))
    .await;
    let plain =
        reqwest::Client::new().post(server.url("/?a=1")).header("x-a", "b").body("{\"n\":7}");
    let plain = plain.send().await.unwrap().text().await.unwrap();

    let traced = Client::new().post(server.url("/")).query(&[("a", "1")]).header("x-a", "b");
    let traced =
        traced.json(&serde_json::json!({ "n": 7 })).send().await.unwrap().text().await.unwrap();
    assert_eq!(traced, plain);
}
