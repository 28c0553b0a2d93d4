//! Access: token, host, origin, content policy.

use crate::kit::{self, TOKEN};
use hub_otel::live::Application;
use hub_otel::{InitErrorKind, Telemetry};
use hub_otel_tests::http::{self, Method, Reply};
use std::sync::{Arc, Mutex};

fn send(telemetry: &Telemetry, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let url = format!("{}{path}", kit::base(telemetry));
    http::try_send(method, url, headers, "{\"id\":\"a\",\"approved\":true}").expect("a reply")
}

const COOKIE_PART: &str = "; HttpOnly; SameSite=Strict; Path=/";

#[test]
fn the_printed_url_sets_a_cookie_that_scripts_cannot_read_and_other_sites_cannot_send() {
    let telemetry = kit::start();
    let page = http::get(telemetry.live_url().expect("served"));
    assert_eq!(page.status, 200);
    let cookie = page.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("hub_otel_live_") && cookie.ends_with(COOKIE_PART), "{cookie}");
    let cookie = cookie.split(';').next().expect("its value");
    let with = send(&telemetry, Method::GET, "/live/info", &[("cookie", cookie)]);
    assert_eq!(with.status, 200);
    assert_eq!(with.json()["service"], "under-test");
}

#[test]
fn without_the_token_there_is_a_form_and_no_data() {
    let telemetry = kit::start();
    let page = send(&telemetry, Method::GET, "/", &[]);
    assert_eq!(page.status, 401);
    assert!(page.body.contains("type=\"password\""), "{}", page.body);
    for path in ["/live/info", "/live/updates", "/live/events", "/live/health", "/live/trace?run=a"]
    {
        assert_eq!(send(&telemetry, Method::GET, path, &[]).status, 401, "{path}");
    }
    let alert = "role=\"alert\" hidden>This token is not valid";
    assert!(page.body.contains(alert), "{}", page.body);
    let wrong = send(&telemetry, Method::GET, "/?token=correct-horse", &[]);
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("role=\"alert\">This token is not valid"), "{}", wrong.body);
    let wrong = send(&telemetry, Method::GET, "/live/info?token=correct-horse", &[]);
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.header("set-cookie"), None);
}

#[test]
fn other_hosts_and_other_sites_are_rejected() {
    let telemetry = kit::start();
    let bearer = format!("Bearer {TOKEN}");
    for (header, value) in [
        ("host", "rebound.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let headers = [("authorization", bearer.as_str()), (header, value)];
        let reply = send(&telemetry, Method::GET, "/live/updates", &headers);
        assert_eq!(reply.status, 403, "{header}: {value}");
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
}

#[test]
fn beyond_loopback_other_hosts_are_rejected_unless_they_are_listed() {
    let status = |hosts: &[&str], host: &str| {
        let builder = kit::builder().live("0.0.0.0:0");
        let builder =
            if hosts.is_empty() { builder } else { builder.live_hosts(hosts.iter().copied()) };
        let telemetry = builder.build().expect("it starts");
        let url = telemetry.live_url().expect("served").replace("0.0.0.0", "127.0.0.1");
        http::try_send(Method::GET, url, &[("host", host)], "").expect("a reply").status
    };
    assert_eq!(status(&[], "evil.example"), 403);
    assert_eq!(status(&[], "10.0.0.7:9465"), 200);
    assert_eq!(status(&["app-1"], "app-1:9465"), 200);
    assert_eq!(status(&["app-1"], "evil.example"), 403);
}

#[test]
fn every_response_has_the_content_policy() {
    let telemetry = kit::start();
    for path in ["/", "/live/app.js", "/live/style.css", "/live/updates", "/live/nothing"] {
        let reply = kit::get(&telemetry, path);
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self'; "), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
}

#[test]
fn files_are_compressed_and_sent_once() {
    let telemetry = kit::start();
    let packed = send(&telemetry, Method::GET, "/live/app.js", &[("accept-encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let etag = packed.header("etag").expect("an ETag");
    let again = send(&telemetry, Method::GET, "/live/app.js", &[("if-none-match", etag)]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[test]
fn an_address_beyond_loopback_requires_a_token() {
    let start = |token: Option<&str>| {
        let builder = Telemetry::builder()
            .env_source([("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")])
            .live("0.0.0.0:0");
        match token {
            Some(token) => builder.live_token(token).build(),
            None => builder.live_without_token().build(),
        }
    };
    let error = start(None).expect_err("no token");
    assert_eq!(error.kind(), InitErrorKind::InvalidSettings);
    assert_eq!(
        error.to_string(),
        "builder().live(…) is set to `0.0.0.0:0`; expected an address of loopback, e.g. \
         `127.0.0.1:9465`, or a token for this one: set OTEL_HUB_LIVE_TOKEN or \
         builder().live_token(…)"
    );
    let error = start(Some("short")).expect_err("too short").to_string();
    assert!(error.contains("at least 16 characters") && !error.contains("short"), "{error}");
    drop(start(Some(TOKEN)).expect("a token"));
}

#[test]
fn the_variable_serves_the_view_and_an_address_in_use_is_an_error() {
    let start = |address: &str| {
        Telemetry::builder()
            .env_source([
                ("OTEL_TRACES_EXPORTER", "none"),
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_HUB_LIVE", address),
            ])
            .build()
    };
    let first = start("127.0.0.1:0").expect("it starts");
    let address = kit::base(&first).replace("http://", "");
    let error = start(&address).expect_err("the address is in use");
    assert_eq!(error.kind(), InitErrorKind::LiveListener);
    assert!(error.to_string().contains("OTEL_HUB_LIVE"), "{error}");
    first.shutdown_blocking();
    drop(start(&address).expect("the address is free at once"));
    let error = start("9465").expect_err("no address").to_string();
    assert!(error.contains("an IP address and a port"), "{error}");
}

#[test]
fn actions_require_the_same_origin_and_json_and_reach_the_application() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let telemetry = kit::start();
    let decided = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&decided);
    let application = runtime.block_on(async {
        Application::new().decide(move |decision| {
            let seen = Arc::clone(&seen);
            async move {
                seen.lock().expect("not poisoned").push((decision.id, decision.is_approved));
                Ok(())
            }
        })
    });
    telemetry.live_application(application);
    let bearer = format!("Bearer {TOKEN}");
    let post = |headers: &[(&str, &str)]| {
        send(&telemetry, Method::POST, "/live/approvals", headers).status
    };
    let (token, json) = (("authorization", bearer.as_str()), ("content-type", "application/json"));
    assert_eq!(post(&[json]), 401);
    assert_eq!(post(&[token]), 415);
    assert_eq!(post(&[token, json, ("origin", "http://127.0.0.1:1")]), 403);
    assert_eq!(*decided.lock().expect("not poisoned"), []);
    let origin = kit::base(&telemetry);
    assert_eq!(post(&[token, json, ("origin", &origin)]), 200);
    assert_eq!(*decided.lock().expect("not poisoned"), [("a".to_owned(), true)]);
    let cancel = format!("{origin}/live/cancel");
    let reply = http::try_send(Method::POST, cancel, &[token, json], "{\"run\":\"a\"}");
    assert_eq!(reply.expect("a reply").status, 501);
}

#[test]
fn the_router_is_nested_and_merged() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let telemetry = kit::builder().live_embedded().build().expect("it starts");
    let router = axum::Router::new()
        .route("/health", axum::routing::get(async || "ok"))
        .nest_service("/telemetry", telemetry.live_router())
        .merge(telemetry.live_router());
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    });
    let query = telemetry.live_token_query();
    assert_eq!(query, format!("?token={TOKEN}"));
    for path in ["/", "/telemetry", "/telemetry/"] {
        let page = http::get(format!("http://{address}{path}{query}"));
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains("live/app.js"), "{path}");
    }
    let script = http::get(format!("http://{address}/telemetry/live/app.js"));
    assert_eq!(script.status, 200);
    assert_eq!(http::get(format!("http://{address}/health")).body, "ok");
    assert_eq!(http::get(format!("http://{address}/telemetry/live/info")).status, 401);
}
