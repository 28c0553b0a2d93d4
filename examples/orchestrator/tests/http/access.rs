//! Access: listeners, tokens, pages of other sites, names that were rebound to loopback.

use crate::server::Server;
use crate::webhook::firing;
use hub_otel_tests::ports;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_name_that_was_rebound_to_loopback_reaches_no_listener() {
    let own = format!("127.0.0.1:{}", ports::free());
    let server = Server::start(&[
        ("HUB_WEBHOOK_BIND", &own),
        ("HUB_WEBHOOK_TOKEN", "hook"),
        ("HUB_ALLOWED_HOST", "relay.internal,other.internal"),
    ])
    .await;
    let api = |path: &str| format!("{}{path}", server.url);
    let targets = [
        (Method::GET, api("/api/approvals")),
        (Method::GET, api("/api/workflows/scan-and-notify/runs")),
        (Method::POST, api("/api/workflows/scan-and-notify/trigger")),
        (Method::POST, api("/api/webhooks/grafana")),
        (Method::GET, api("/health")),
        (Method::GET, api("/health/ready")),
        (Method::GET, api("/openapi.json")),
        (Method::GET, api("/no/such/route")),
        (Method::POST, format!("http://{own}/api/webhooks/grafana")),
        (Method::GET, server.metrics.clone()),
    ];
    for (method, url) in targets {
        for (host, permitted) in [
            ("evil.example:9002", false),
            ("localhost.evil.example", false),
            ("relay.internal:9002", true),
            ("LOCALHOST:9002", true),
            ("127.0.0.1:9002", true),
        ] {
            let request = server.http.request(method.clone(), &url).header("host", host);
            let request = request
                .header("origin", format!("http://{host}"))
                .header("sec-fetch-site", "same-origin")
                .bearer_auth("hook")
                .body("{}");
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status != 403, permitted, "{method} {url} as {host}: {status}");
        }
    }
}

#[tokio::test]
async fn the_webhook_listener_has_no_other_routes_and_the_api_requires_its_token() {
    let port = hub_otel_tests::ports::free();
    let own = format!("127.0.0.1:{port}");
    let server = Server::start(&[
        ("HUB_WEBHOOK_BIND", &own),
        ("HUB_WEBHOOK_TOKEN", "hook"),
        ("HUB_API_TOKEN", "api"),
    ])
    .await;
    let at = async |method: reqwest::Method, base: &str, path: &str, token: &str| {
        let request = server
            .http
            .request(method, format!("{base}{path}"))
            .bearer_auth(token)
            .body(firing("a"));
        request.send().await.unwrap().status().as_u16()
    };
    let own = format!("http://{own}");
    assert_eq!(at(Method::POST, &own, "/api/webhooks/grafana", "hook").await, 200);
    assert_eq!(at(Method::POST, &own, "/api/webhooks/grafana", "api").await, 401);
    for path in [
        "/api/workflows",
        "/api/approvals",
        "/api/workflows/scan-and-notify/trigger",
        "/openapi.json",
    ] {
        assert_eq!(at(Method::GET, &own, path, "api").await, 404, "{path}");
    }
    assert_eq!(at(Method::POST, &server.url, "/api/webhooks/grafana", "hook").await, 200);
    assert_eq!(
        at(Method::GET, &server.url, "/api/workflows", "hook").await,
        401,
        "a webhook's secret is not the API's"
    );
    assert_eq!(at(Method::GET, &server.url, "/api/workflows", "api").await, 200);
    assert_eq!(
        at(Method::POST, &server.url, "/api/workflows/scan-and-notify/trigger", "").await,
        401
    );
    let probe = server.http.get(format!("{}/health/live", server.url)).send().await.unwrap();
    assert_eq!(probe.status(), 200, "probes know no token");
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_an_open_server() {
    let server = Server::start(&[]).await;
    let (status, response) =
        server.webhook("POST", &[("origin", "https://evil.example")], firing("a")).await;
    assert_eq!((status, &response["code"]), (403, &json!("cross_site")));
    let trigger = format!("{}/api/workflows/scan-and-notify/trigger", server.url);
    let request = server.http.post(trigger).header("origin", "https://evil.example").body("{}");
    assert_eq!(request.send().await.unwrap().status(), 403);
}
