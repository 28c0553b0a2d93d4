//! One request, one span, one measurement.

use crate::support::{BoundaryCapture, Raw, Server};
use axum::Router;
use axum::handler::HandlerWithoutStateExt;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::{any, get};
use hub_otel::http::ServerLayer;

#[tokio::test]
async fn a_request_is_one_span_named_after_its_route_and_one_measurement() {
    let capture = BoundaryCapture::new();
    let app =
        Router::new().route("/users/{id}", get(|| async { "hello" })).layer(ServerLayer::new());
    let server = Server::start(app).await;

    let response = reqwest::get(server.url("/users/7?token=c4n4ry")).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "hello");

    capture.idle().await;
    assert_eq!(
        capture.tree(),
        "SERVER GET /users/{id} \
         client.address=127.0.0.1 http.request.method=GET http.response.status_code=200 http.route=/users/{id} \
         network.peer.address=127.0.0.1 network.peer.port=<port> network.protocol.version=1.1 \
         server.address=127.0.0.1 server.port=<port> url.path=/users/7 url.scheme=http\n"
    );
    assert_eq!(
        capture.table(),
        "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 http.route=/users/{id} \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn a_path_that_matches_no_route_is_named_after_its_method_and_makes_no_series() {
    let capture = BoundaryCapture::new();
    let app = Router::new().route("/known", get(|| async {})).layer(ServerLayer::new());
    let server = Server::start(app).await;

    for path in ["/a", "/b/{id}", "/c%20d", "//"] {
        assert_eq!(reqwest::get(server.url(path)).await.unwrap().status(), StatusCode::NOT_FOUND);
    }

    capture.idle().await;
    assert_eq!(capture.spans().names(), "GET\n".repeat(4));
    assert_eq!(
        capture.table(),
        "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=404 \
         network.protocol.version=1.1 url.scheme=http | 4\n"
    );
}

#[tokio::test]
async fn an_unknown_method_is_other_in_series_and_itself_on_the_span() {
    let capture = BoundaryCapture::new();
    let app = Router::new().route("/any", any(|| async {})).layer(ServerLayer::new());
    let server = Server::start(app).await;

    for method in ["BREW", "WHEN"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        reqwest::Client::new().request(method, server.url("/any")).send().await.unwrap();
    }

    capture.idle().await;
    let tree = capture.tree();
    assert!(tree.starts_with("SERVER HTTP /any "), "{tree}");
    assert!(
        tree.contains("http.request.method=_OTHER http.request.method_original=BREW"),
        "{tree}"
    );
    assert_eq!(
        capture.table(),
        "http.server.active_requests http.request.method=_OTHER url.scheme=http | 0\n\
         http.server.request.duration http.request.method=_OTHER http.response.status_code=200 http.route=/any \
         network.protocol.version=1.1 url.scheme=http | 2\n"
    );
}

#[tokio::test]
async fn five_hundreds_are_errors_of_the_server_and_four_hundreds_are_not() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route("/busy", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/bad", get(|| async { StatusCode::UNPROCESSABLE_ENTITY }))
        .layer(ServerLayer::new());
    let server = Server::start(app).await;

    reqwest::get(server.url("/busy")).await.unwrap();
    reqwest::get(server.url("/bad")).await.unwrap();

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "SERVER GET /bad http.response.status_code=422\n\
         SERVER GET /busy error.type=503 http.response.status_code=503 ERROR\n"
    );
    assert_eq!(
        capture.table(),
        "http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration error.type=503 http.request.method=GET http.response.status_code=503 \
         http.route=/busy network.protocol.version=1.1 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=422 http.route=/bad \
         network.protocol.version=1.1 url.scheme=http | 1\n"
    );
}

#[tokio::test]
async fn an_excluded_path_has_no_telemetry_and_its_calls_start_no_traces() {
    let capture = BoundaryCapture::new();
    let upstream = Server::start(Router::new().route("/", get(|| async {}))).await;
    let url = upstream.url("/");
    let call = move || async move {
        let http = hub_otel::http::Client::new();
        http.get(url).send().await.unwrap();
    };
    let app = Router::new()
        .route("/health/live", get(call.clone()))
        .route("/metrics", get(|| async {}))
        .route("/work", get(call))
        .layer(ServerLayer::new().exclude("/health/*").exclude("/metrics"));
    let server = Server::start(app).await;

    for path in ["/health/live", "/metrics", "/work"] {
        assert!(reqwest::get(server.url(path)).await.unwrap().status().is_success());
    }

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "SERVER GET /work http.response.status_code=200\n\
         \u{20} CLIENT GET http.response.status_code=200\n"
    );
}

#[tokio::test]
async fn a_header_is_recorded_only_when_it_is_named() {
    let capture = BoundaryCapture::new();
    let layer = ServerLayer::new()
        .request_header(HeaderName::from_static("x-request-id"))
        .request_header(header::USER_AGENT)
        .response_header(header::CONTENT_TYPE);
    let server =
        Server::start(Router::new().route("/", get(|| async { "text" })).layer(layer)).await;

    let client = reqwest::Client::builder().user_agent("tester/1").build().unwrap();
    let request = client
        .get(server.url("/"))
        .header("x-request-id", "42")
        .header("authorization", "Bearer c4n4ry");
    request.send().await.unwrap().text().await.unwrap();

    capture.idle().await;
    let tree = capture.tree();
    assert!(tree.contains("http.request.header.x-request-id=[\"42\"]"), "{tree}");
    assert!(tree.contains("user_agent.original=tester/1"), "{tree}");
    assert!(
        tree.contains("http.response.header.content-type=[\"text/plain; charset=utf-8\"]"),
        "{tree}"
    );
    assert!(!tree.contains("c4n4ry") && !tree.contains("authorization"), "{tree}");
}

#[tokio::test]
async fn a_path_that_is_a_secret_is_shown_as_its_template() {
    let capture = BoundaryCapture::new();
    let layer = ServerLayer::new().redact_path("/hooks/*").behind_tls();
    let server =
        Server::start(Router::new().route("/hooks/{token}", get(|| async {})).layer(layer)).await;

    reqwest::get(server.url("/hooks/c4n4ry")).await.unwrap();
    reqwest::get(server.url("/hooks/c4n4ry/none")).await.unwrap();

    capture.idle().await;
    let tree = capture.tree();
    assert!(tree.contains("url.path=/hooks/{token} url.scheme=https"), "{tree}");
    assert!(tree.contains("url.path=/REDACTED"), "{tree}");
    assert!(!tree.contains("c4n4ry"), "{tree}");
}

#[tokio::test]
async fn inside_of_a_nested_router_patterns_match_the_path_that_the_client_sent() {
    let capture = BoundaryCapture::new();
    let layer = ServerLayer::new().redact_path("/api/hooks/*").exclude("/api/hooks/health/*");
    let hooks = Router::new()
        .route("/{token}", get(|| async {}))
        .route("/health/live", get(|| async {}))
        .route("/open/{item}", get(|| async {}))
        .layer(layer);
    let open = Router::new()
        .route("/{item}", get(|| async {}))
        .layer(ServerLayer::new().redact_path("/other/*"));
    let api = Router::new().nest("/hooks", hooks).nest("/open", open);
    let server = Server::start(Router::new().nest("/api", api)).await;

    for path in ["/api/hooks/c4n4ry", "/api/hooks/health/live", "/api/open/chair"] {
        reqwest::get(server.url(path)).await.unwrap();
    }

    capture.idle().await;
    let tree = capture.tree();
    assert_eq!(capture.spans().len(), 2, "{tree}");
    assert!(tree.contains("url.path=/api/hooks/{token} "), "{tree}");
    assert!(tree.contains("url.path=/api/open/chair "), "{tree}");
    assert!(!tree.contains("c4n4ry"), "{tree}");
}

#[tokio::test]
async fn without_telemetry_the_layer_changes_nothing() {
    let app =
        Router::new().route("/", get(|| async { "plain" })).layer(ServerLayer::new().exclude("/x"));
    let server = Server::start(app).await;
    assert_eq!(reqwest::get(server.url("/")).await.unwrap().text().await.unwrap(), "plain");
    assert_eq!(reqwest::get(server.url("/x")).await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nested_routers_show_the_whole_template_and_unmatched_paths_have_none() {
    let capture = BoundaryCapture::new();
    let deep = Router::new()
        .route("/{item}", get(|| async {}))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let api = Router::new()
        .route("/users/{id}", get(|| async {}))
        .nest("/orders/{order}", deep)
        .fallback(|| async { StatusCode::NOT_FOUND });
    let app = Router::new()
        .nest("/api", api)
        .merge(Router::new().route("/files/{*path}", get(|| async {})))
        .nest_service("/static", (|| async { "opaque" }).into_service())
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(ServerLayer::new());
    let server = Server::start(app).await;

    for path in [
        "/api/users/7",
        "/api/orders/8/chair",
        "/files/a/b.js",
        "/api/none",
        "/api/orders/8/chair/none",
        "/static/app.js",
        "/none",
    ] {
        reqwest::get(server.url(path)).await.unwrap();
    }

    capture.idle().await;
    assert_eq!(
        capture.snapshot(),
        "SERVER GET http.response.status_code=200\n\
         SERVER GET http.response.status_code=404\n\
         SERVER GET http.response.status_code=404\n\
         SERVER GET http.response.status_code=404\n\
         SERVER GET /api/orders/{order}/{item} http.response.status_code=200\n\
         SERVER GET /api/users/{id} http.response.status_code=200\n\
         SERVER GET /files/{*path} http.response.status_code=200\n\
         \n\
         http.server.active_requests http.request.method=GET url.scheme=http | 0\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 \
         http.route=/api/orders/{order}/{item} network.protocol.version=1.1 url.scheme=http | \
         1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 \
         http.route=/api/users/{id} network.protocol.version=1.1 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 \
         http.route=/files/{*path} network.protocol.version=1.1 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=200 \
         network.protocol.version=1.1 url.scheme=http | 1\n\
         http.server.request.duration http.request.method=GET http.response.status_code=404 \
         network.protocol.version=1.1 url.scheme=http | 3\n"
    );
}

#[tokio::test]
async fn methods_and_status_codes_are_recorded_unchanged() {
    let capture = BoundaryCapture::new();
    let app = Router::new()
        .route("/item", get(|| async { "item" }))
        .route(
            "/moved",
            get(|| async { (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/item")]) }),
        )
        .layer(ServerLayer::new());
    let server = Server::start(app).await;
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();

    client.head(server.url("/item")).send().await.unwrap();
    client.request(reqwest::Method::OPTIONS, server.url("/item")).send().await.unwrap();
    client.get(server.url("/moved")).send().await.unwrap();
    let mut raw = Raw::connect(&server).await;
    raw.send("GET /item HTTP/1.0\r\nhost: [::1]:80\r\n\r\n").await;
    raw.until_closed().await;

    capture.idle().await;
    assert_eq!(
        capture.outcomes(),
        "SERVER GET /item http.response.status_code=200\n\
         SERVER GET /moved http.response.status_code=308\n\
         SERVER HEAD /item http.response.status_code=200\n\
         SERVER OPTIONS /item http.response.status_code=405\n"
    );
    let old = capture.named("GET /item", "Server");
    assert_eq!(old.text("network.protocol.version"), "1.0");
    assert_eq!(old.text("server.address"), "::1");
}

#[tokio::test]
async fn only_the_configured_number_of_proxies_is_trusted() {
    let forwarded = [
        ("x-forwarded-for", "6.6.6.6, 192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.test:8443"),
    ];
    for (proxies, expected) in [
        (0, "client.address=127.0.0.1 server.address=127.0.0.1 url.scheme=http"),
        (1, "client.address=192.0.2.7 server.address=shop.test url.scheme=https"),
    ] {
        let capture = BoundaryCapture::new();
        let layer = ServerLayer::new().trusted_proxies(proxies);
        let server = Server::start(Router::new().route("/", get(|| async {})).layer(layer)).await;
        let request = forwarded
            .iter()
            .fold(reqwest::Client::new().get(server.url("/")), |request, (name, value)| {
                request.header(*name, *value)
            });
        request.send().await.unwrap();
        capture.idle().await;
        let span = capture.only();
        let found: Vec<String> = ["client.address", "server.address", "url.scheme"]
            .map(|key| format!("{key}={}", span.text(key)))
            .into();
        assert_eq!(found.join(" "), expected);
        assert_eq!(span.text("network.peer.address"), "127.0.0.1", "the proxy");
        let scheme = expected.rsplit('=').next().unwrap();
        assert!(
            capture.table().contains(&format!("url.scheme={scheme} | 1\n")),
            "{}",
            capture.table()
        );
    }
}
