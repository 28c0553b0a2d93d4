//! The middleware of reqwest-middleware.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use hub_otel::http::{ClientMiddleware, ResendCount, ServerLayer, UrlTemplate};
use hub_otel_tests::ports::Closed;
use reqwest_middleware::ClientBuilder;

#[tokio::test]
async fn a_request_through_the_middleware_is_one_span_in_the_trace_of_its_server() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route(
            "/users/{id}",
            get(|headers: HeaderMap| async move { format!("{:?}", headers.get("traceparent")) }),
        )
        .route("/busy", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let server = Server::start(app.layer(ServerLayer::new())).await;
    let http = ClientBuilder::new(reqwest::Client::new()).with(ClientMiddleware::new()).build();

    let request = http
        .get(server.url("/users/7?token=c4n4ry"))
        .with_extension(UrlTemplate("/users/{id}"))
        .with_extension(ResendCount(1));
    let body = request.send().await.unwrap().text().await.unwrap();
    http.get(server.url("/busy")).send().await.unwrap();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET error.type=503 http.response.status_code=503 ERROR\n\
         \u{20} SERVER GET /busy error.type=503 http.response.status_code=503 ERROR\n\
         CLIENT GET /users/{id} http.request.resend_count=1 http.response.status_code=200\n\
         \u{20} SERVER GET /users/{id} http.response.status_code=200\n"
    );
    let span = capture.named("GET /users/{id}", "Client");
    assert!(body.contains(&span.trace_id) && body.contains(&span.span_id), "{body}");
    assert!(!capture.debug().contains("c4n4ry"));
}

#[tokio::test]
async fn errors_of_reqwest_have_its_types_and_those_of_a_middleware_are_other() {
    let capture = BoundaryCapture::new();
    let closed = Closed::new();
    let http = ClientBuilder::new(reqwest::Client::new()).with(ClientMiddleware::new()).build();
    http.get(closed.endpoint()).send().await.unwrap_err();

    struct Refusing;
    #[async_trait::async_trait]
    impl reqwest_middleware::Middleware for Refusing {
        async fn handle(
            &self,
            _: reqwest::Request,
            _: &mut axum::http::Extensions,
            _: reqwest_middleware::Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            Err(reqwest_middleware::Error::middleware(std::io::Error::other("c4n4ry")))
        }
    }
    let http = ClientBuilder::new(reqwest::Client::new())
        .with(ClientMiddleware::new().without_propagation())
        .with(Refusing)
        .build();
    http.get(closed.endpoint()).send().await.unwrap_err();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET error.type=_OTHER ERROR\nCLIENT GET error.type=connect ERROR\n"
    );
    assert!(!capture.debug().contains("c4n4ry"));
}
