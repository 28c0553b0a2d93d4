//! DNS rebinding: a page of another site that points its own name at loopback.

use crate::server::Server;
use hub_otel_tests::ports;
use reqwest::Method;

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
