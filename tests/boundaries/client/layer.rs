//! The tower layer, around hyper-util's client and around a service of the test.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::get;
use http_body_util::{BodyExt, Empty, Full};
use hub_otel::http::{ClientLayer, ResendCount, ServerLayer, UrlTemplate};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, Service, ServiceExt, service_fn};

async fn headers_of(headers: HeaderMap) -> String {
    let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    format!("{:?} {:?}", value("traceparent"), value("baggage"))
}

#[tokio::test]
async fn a_request_by_hyper_util_is_one_span_in_the_trace_of_its_server() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route("/users/{id}", get(headers_of))
        .route("/busy", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let server = Server::start(app.layer(ServerLayer::new())).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let mut client = ClientLayer::new().layer(client);

    let url = server.url("/users/7?token=c4n4ry");
    let request = Request::get(url)
        .extension(UrlTemplate("/users/{id}"))
        .extension(ResendCount(2))
        .body(Full::default());
    let response = client.ready().await.unwrap().call(request.unwrap()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let request = Request::get(server.url("/busy")).body(Full::from("a body"));
    client.ready().await.unwrap().call(request.unwrap()).await.unwrap();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET error.type=503 http.response.status_code=503 ERROR\n\
         \u{20} SERVER GET /busy error.type=503 http.response.status_code=503 ERROR\n\
         CLIENT GET /users/{id} http.request.resend_count=2 http.response.status_code=200\n\
         \u{20} SERVER GET /users/{id} http.response.status_code=200\n"
    );
    let span = capture.named("GET /users/{id}", "Client");
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains(&span.trace_id) && body.contains(&span.span_id), "{body}");
    assert!(body.ends_with(" None"), "no baggage: {body}");
    let tree = capture.tree();
    assert!(tree.contains("url.full=http://127.0.0.1:<port>/REDACTED"), "{tree}");
    assert!(!capture.debug().contains("c4n4ry"));
}

#[tokio::test]
async fn bodies_of_any_type_pass_and_headers_go_where_they_may() {
    struct Anything(u8);
    let capture = BoundaryCapture::new();
    let echo = service_fn(async |request: Request<Anything>| {
        let mut response = Response::new(request.body().0 + 1);
        *response.headers_mut() = request.headers().clone();
        Ok::<_, std::convert::Infallible>(response)
    });
    let send = async |layer: ClientLayer, url: &str| {
        let request = Request::get(url).body(Anything(6)).unwrap();
        let response = layer.layer(echo).oneshot(request).await.unwrap();
        assert_eq!(*response.body(), 7);
        let has = |name: &str| response.headers().contains_key(name);
        (has("traceparent"), has("baggage"))
    };
    hub_otel::workflow("nightly")
        .run(async {
            let internal = ClientLayer::new().baggage_to("*.internal");
            assert_eq!(send(internal.clone(), "http://api.internal/").await, (true, true));
            assert_eq!(send(internal, "http://example.com/").await, (true, false));
            let third_party = ClientLayer::new().without_propagation();
            assert_eq!(send(third_party, "http://example.com/").await, (false, false));
        })
        .await;
    assert_eq!(capture.spans().len(), 4);
}

#[tokio::test]
async fn errors_drops_and_panics_of_the_service_end_the_request() {
    let capture = BoundaryCapture::new();
    let request =
        || Request::get("http://api.internal/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let fails = service_fn(async |_: Request<Empty<bytes::Bytes>>| {
        Err::<Response<Body>, _>(std::io::Error::other("c4n4ry"))
    });
    ClientLayer::new().layer(fails).oneshot(request()).await.unwrap_err();

    let never = service_fn(|_: Request<Empty<bytes::Bytes>>| {
        std::future::pending::<Result<Response<Body>, std::io::Error>>()
    });
    drop(ClientLayer::new().layer(never).call(request()));

    let panics = service_fn(async |_: Request<Empty<bytes::Bytes>>| {
        crate::support::panic_quietly();
        Ok::<_, std::io::Error>(Response::new(Body::empty()))
    });
    let call = std::panic::AssertUnwindSafe(ClientLayer::new().layer(panics).oneshot(request()));
    assert!(futures_util::FutureExt::catch_unwind(call).await.is_err());

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET error.type=_OTHER ERROR\n\
         CLIENT GET error.type=cancelled ERROR\n\
         CLIENT GET error.type=panic ERROR\n"
    );
    assert!(!capture.debug().contains("c4n4ry"));
}
