//! Environment variables of the boundaries: known methods and propagators, as received by a
//! Collector.

use crate::support::Server;
use axum::Router;
use axum::http::{HeaderMap, Method};
use axum::routing::{any, get};
use hub_otel::Telemetry;
use hub_otel::http::{Client, ServerLayer, Trust};
use hub_otel_tests::receiver::{Receiver, text};
use hub_otel_tests::scrape::Scrape;
use std::collections::{BTreeSet, HashMap};

fn builder(receiver: &Receiver, variable: (&str, &str)) -> hub_otel::TelemetryBuilder {
    hub_otel::Telemetry::builder()
        .default_service_name("boundaries")
        .endpoint(receiver.endpoint())
        .env_source([
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            ("OTEL_LOGS_EXPORTER", "none"),
            variable,
        ])
}

fn telemetry(receiver: &Receiver, variable: (&str, &str)) -> Telemetry {
    builder(receiver, variable).build().unwrap()
}

/// `kind name method original`, sorted.
fn methods(receiver: &Receiver) -> Vec<String> {
    let mut lines: Vec<String> = receiver
        .spans()
        .iter()
        .map(|span| {
            let of = |key| text(&span.item.attributes, key).unwrap_or("-");
            let (method, original) =
                (of("http.request.method"), of("http.request.method_original"));
            format!("{:?} {}: {method} {original}", span.item.kind(), span.item.name)
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_known_methods_replaces_the_conventions_and_names_are_compared_as_they_are_sent()
{
    let receiver = Receiver::start();
    let telemetry = telemetry(&receiver, ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PURGE"));
    let layer = ServerLayer::new().telemetry(&telemetry);
    let server = Server::start(Router::new().route("/any", any(|| async {})).layer(layer)).await;
    let http = Client::new().telemetry(&telemetry);
    for method in ["GET", "PURGE", "POST", "purge"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        http.request(method, server.url("/any")).template("/any").send().await.unwrap();
    }
    let page = Scrape::of(format!("http://{}/metrics", telemetry.metrics_addr().unwrap()));
    for (method, count) in [("GET", 1.0), ("PURGE", 1.0), ("_OTHER", 2.0)] {
        let labels = [("http_request_method", method)];
        for name in [
            "http_server_request_duration_seconds_count",
            "http_client_request_duration_seconds_count",
        ] {
            assert_eq!(page.value(name, &labels), Some(count), "{name} {method}");
        }
    }
    assert!(telemetry.shutdown().await.is_complete());
    assert_eq!(
        methods(&receiver),
        [
            "Client GET /any: GET -",
            "Client HTTP /any: _OTHER POST",
            "Client HTTP /any: _OTHER purge",
            "Client PURGE /any: PURGE -",
            "Server GET /any: GET -",
            "Server HTTP /any: _OTHER POST",
            "Server HTTP /any: _OTHER purge",
            "Server PURGE /any: PURGE -",
        ]
    );
}

#[test]
fn a_list_of_methods_that_is_none_is_an_error_that_shows_what_to_write() {
    let receiver = Receiver::start();
    let name = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";
    for wrong in ["GET,,POST", "GET POST", "GET,PÖST", ",", &"A,".repeat(3)] {
        let builder = builder(&receiver, (name, wrong)).strict_environment(true);
        let error = builder.config().unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains(wrong) && error.contains("`GET,POST,PURGE`"),
            "{error}"
        );
    }
    let many = (0..65).map(|n| format!("M{n}")).collect::<Vec<_>>().join(",");
    let strict = builder(&receiver, (name, &many)).strict_environment(true);
    let error = strict.config().unwrap_err().to_string();
    assert!(error.contains("no more than 64 methods"), "{error}");
    let config = builder(&receiver, (name, "GET,PURGE,GET")).config().unwrap().to_string();
    assert!(config.contains(&format!("{name} = GET,PURGE  ({name})")), "{config}");
}

/// Which of the two headers, and which keys of a carrier by hand, went out.
async fn sent(headers: HeaderMap) -> String {
    let sent: Vec<&str> =
        ["traceparent", "baggage"].into_iter().filter(|name| headers.contains_key(*name)).collect();
    sent.join(" ")
}

#[hub_otel::instrument_workflow(id = "nightly", run_id = "run-7")]
async fn nightly(http: Client, url: String) -> String {
    let mut carrier = HashMap::new();
    hub_otel::propagation::inject_run(&mut carrier);
    let by_hand: BTreeSet<&String> = carrier.keys().filter(|key| *key != "tracestate").collect();
    let sent = http.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(by_hand.into_iter().rev().map(String::as_str).collect::<Vec<_>>().join(" "), sent);
    sent
}

#[hub_otel::instrument_agent(id = "scanner", action = "scan")]
async fn scan() {}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn propagators_that_are_not_named_are_disabled_in_both_directions() {
    for (value, out) in [
        ("", "traceparent baggage"),
        ("tracecontext", "traceparent"),
        ("baggage", "baggage"),
        ("tracecontext,baggage", "traceparent baggage"),
        ("none", ""),
    ] {
        let receiver = Receiver::start();
        let telemetry = telemetry(&receiver, ("OTEL_PROPAGATORS", value));
        let upstream = Server::start(Router::new().route("/", get(sent))).await;
        let url = upstream.url("/");
        let http = Client::new().telemetry(&telemetry).baggage_to("127.0.0.1");
        let app = Router::new()
            .route("/out", get(move || async move { nightly(http, url).await }))
            .route("/in", get(scan))
            .layer(ServerLayer::new().telemetry(&telemetry).trust(Trust::TraceAndBaggage));
        let server = Server::start(app).await;

        assert_eq!(
            reqwest::get(server.url("/out")).await.unwrap().text().await.unwrap(),
            out,
            "`{value}`"
        );
        let request = reqwest::Client::new()
            .get(server.url("/in"))
            .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
            .header("baggage", "workflow.id=theirs");
        request.send().await.unwrap();
        assert!(telemetry.shutdown().await.is_complete());

        let spans = receiver.spans();
        let span = |name: &str| spans.iter().find(|span| span.item.name == name).unwrap();
        let trace: String =
            span("GET /in").item.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(trace == TRACE, out.contains("traceparent"), "`{value}`");
        let workflow =
            text(&span("agent.execute").item.attributes, "workflow.id").unwrap_or_default();
        assert_eq!(workflow == "theirs", out.contains("baggage"), "`{value}`");
    }
}

#[test]
fn an_unsupported_propagator_is_an_error_in_strict_mode() {
    let receiver = Receiver::start();
    for other in ["b3", "b3multi", "jaeger", "tracecontext,b3"] {
        let strict = builder(&receiver, ("OTEL_PROPAGATORS", other)).strict_environment(true);
        let error = strict.config().unwrap_err().to_string();
        assert!(error.contains(other) && error.contains("`tracecontext`, `baggage`"), "{error}");
    }
}
