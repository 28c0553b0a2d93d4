//! Every hop is a request of its own, and nothing travels further than reqwest would let it.

use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use hub_otel::http::Client;

/// Returns method, body and the relevant headers of the request.
async fn arrived(method: Method, headers: HeaderMap, body: String) -> String {
    let has = |name| if headers.contains_key(name) { name } else { "-" };
    format!("{method} {body:?} {} {}", has("authorization"), has("content-type"))
}

fn to(status: StatusCode, location: String) -> impl IntoResponse {
    (status, [(header::LOCATION, location)])
}

#[tokio::test]
async fn each_hop_has_a_span_of_its_own_that_counts_the_resends() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route("/a", get(|| async { to(StatusCode::FOUND, "/b".into()) }))
        .route("/b", get(|| async { to(StatusCode::TEMPORARY_REDIRECT, "c?x=1".into()) }))
        .route("/c", get(|| async { "here" }));
    let server = Server::start(app).await;

    let response = Client::new().show_path("127.0.0.1").get(server.url("/a")).send().await.unwrap();
    assert_eq!(response.url().path(), "/c");
    assert_eq!(response.text().await.unwrap(), "here");

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "CLIENT GET http.request.resend_count=1 http.response.status_code=307\n\
         CLIENT GET http.request.resend_count=2 http.response.status_code=200\n\
         CLIENT GET http.response.status_code=302\n"
    );
    let table = capture.table();
    assert!(
        table.contains("status_code=302")
            && table.contains("status_code=307")
            && table.contains("status_code=200"),
        "{table}"
    );
}

#[tokio::test]
async fn methods_bodies_and_credentials_change_as_in_reqwest() {
    let elsewhere = Server::start(Router::new().route("/", any(arrived))).await;
    let away = elsewhere.url("/");
    let app = Router::new()
        .route("/here", any(arrived))
        .route("/see", any(|| async { to(StatusCode::SEE_OTHER, "/here".into()) }))
        .route("/moved", any(|| async { to(StatusCode::MOVED_PERMANENTLY, "/here".into()) }))
        .route("/keep", any(|| async { to(StatusCode::PERMANENT_REDIRECT, "/here".into()) }))
        .route("/away", any(move || async move { to(StatusCode::TEMPORARY_REDIRECT, away) }))
        .route("/ftp", any(|| async { to(StatusCode::FOUND, "ftp://127.0.0.1/".into()) }))
        .route("/loop", any(|| async { to(StatusCode::FOUND, "/loop".into()) }));
    let server = Server::start(app).await;
    let traced = Client::new();
    let plain = reqwest::Client::new();

    for path in ["/see", "/moved", "/keep", "/away"] {
        for method in [Method::POST, Method::PUT, Method::GET] {
            let request = || {
                plain
                    .request(method.clone(), server.url(path))
                    .bearer_auth("t")
                    .header("content-type", "text/plain")
            };
            let expected = request().body("b").send().await.unwrap().text().await.unwrap();
            let request = request().body("b").build().unwrap();
            let found = traced.execute(request).await.unwrap().text().await.unwrap();
            assert_eq!(found, expected, "{method} {path}");
        }
    }
    // A body that is a stream cannot be sent again.
    let stream = || {
        let chunks = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("b")]);
        reqwest::Body::wrap(http_body_util::StreamBody::new(futures_util::StreamExt::map(
            chunks,
            |chunk| chunk.map(|chunk| http_body::Frame::data(bytes::Bytes::from(chunk))),
        )))
    };
    for path in ["/see", "/moved", "/keep"] {
        let expected = plain.post(server.url(path)).body(stream()).send().await.unwrap();
        let found = traced.post(server.url(path)).body(stream()).send().await.unwrap();
        assert_eq!(found.status(), expected.status(), "{path}");
        assert_eq!(found.text().await.unwrap(), expected.text().await.unwrap(), "{path}");
    }
    // What cannot be followed is the same error.
    for path in ["/ftp", "/loop"] {
        let expected = plain.get(server.url(path)).send().await.unwrap_err();
        let found = traced.get(server.url(path)).send().await.unwrap_err();
        let kinds =
            |error: &reqwest::Error| (error.is_redirect(), error.is_builder(), error.to_string());
        assert_eq!(kinds(&found), kinds(&expected), "{path}");
    }
}

#[tokio::test]
async fn one_redirect_too_many_is_an_error_on_its_span_too() {
    let capture = BoundaryCapture::new();
    let app = Router::new().route("/loop", get(|| async { to(StatusCode::FOUND, "/loop".into()) }));
    let server = Server::start(app).await;
    let client = Client::build(reqwest::Client::builder()).unwrap();

    let error =
        client.clone().follow_redirects(1).get(server.url("/loop")).send().await.unwrap_err();
    assert!(error.is_redirect());
    let response = client.follow_redirects(0).get(server.url("/loop")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND, "none are followed, and none is too many");

    capture.idle().await;
    let duration = "http.client.request.duration";
    assert_eq!(
        capture.snapshot(),
        format!(
            "CLIENT GET error.type=redirect http.request.resend_count=1 http.response.status_code=302 ERROR\n\
             CLIENT GET http.response.status_code=302\n\
             CLIENT GET http.response.status_code=302\n\
             \n\
             {duration} error.type=redirect http.request.method=GET http.response.status_code=302 \
             server.address=127.0.0.1 server.port=<port> | 1\n\
             {duration} http.request.method=GET http.response.status_code=302 network.protocol.version=1.1 \
             server.address=127.0.0.1 server.port=<port> | 2\n"
        )
    );
}

#[tokio::test]
async fn a_client_that_follows_by_itself_keeps_its_own_policy() {
    let app = Router::new()
        .route("/a", get(|| async { to(StatusCode::FOUND, "/b".into()) }))
        .route("/b", get(|| async { "here" }));
    let server = Server::start(app).await;
    let none =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    assert_eq!(
        Client::from(none.clone()).get(server.url("/a")).send().await.unwrap().status(),
        StatusCode::FOUND
    );
    assert_eq!(
        Client::from(none).follow_redirects(1).get(server.url("/a")).send().await.unwrap().status(),
        StatusCode::OK
    );
}
