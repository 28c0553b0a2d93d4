//! Spans of other processes: the endpoint of OTLP, its responses and its access.

use crate::kit::{self, TOKEN};
use flate2::Compression;
use flate2::write::GzEncoder;
use hub_otel::Telemetry;
use hub_otel_tests::browser::Browser;
use hub_otel_tests::http::{self, Method, Reply};
use hub_otel_tests::poll;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;
use std::io::Write as _;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// A span of one second, one second after the other.
fn span(trace: u8, id: u8, parent: u8, attributes: &[(&str, &str)]) -> Span {
    let start = 1_700_000_000_000_000_000 + u64::from(id) * 1_000_000_000;
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        name: "span".to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_000_000_000,
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        ..Span::default()
    }
}

fn segment(trace: u8, id: u8, status: &str) -> Span {
    let attributes = [
        ("workflow.run.id", "run-1"),
        ("workflow.id", "three"),
        ("workflow.trigger", "manual"),
        ("workflow.status", status),
    ];
    span(trace, id, 0, &attributes)
}

fn agent(trace: u8, id: u8, parent: u8, name: &str) -> Span {
    let attributes = [
        ("workflow.run.id", "run-1"),
        ("agent.id", name),
        ("agent.action", "act"),
        ("agent.status", "SUCCESS"),
    ];
    span(trace, id, parent, &attributes)
}

fn request(instance: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attributes = vec![text("service.name", "worker"), text("service.instance.id", instance)];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

/// The two segments of a run, in the processes `one` and `two`, the second one linked to the first.
fn requests() -> [ExportTraceServiceRequest; 2] {
    let mut second = segment(2, 3, "SUCCESS");
    second.links = vec![Link { trace_id: vec![1; 16], span_id: vec![1; 8], ..Link::default() }];
    [
        request("one", vec![agent(1, 2, 1, "first"), segment(1, 1, "SUSPENDED")]),
        request("two", vec![agent(2, 4, 3, "second"), second]),
    ]
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn post(telemetry: &Telemetry, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let url = format!("{}{path}", kit::base(telemetry));
    http::send_bytes(Method::POST, url, headers, body).expect("a reply")
}

/// Sends a request with the token. Returns the number of spans that were not stored.
fn send(telemetry: &Telemetry, request: &ExportTraceServiceRequest) -> i64 {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), PROTOBUF, ("content-encoding", "gzip")];
    let reply = post(telemetry, "/v1/traces", &headers, gzip(&request.encode_to_vec()));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("content-type"), Some("application/x-protobuf"));
    let response = ExportTraceServiceResponse::decode(reply.bytes).expect("a response");
    response.partial_success.map_or(0, |partial| partial.rejected_spans)
}

fn updates(telemetry: &Telemetry) -> Value {
    kit::get(telemetry, "/live/updates?run=run-1").json()
}

#[test]
fn a_run_of_two_other_processes_is_one_run_with_their_names_and_its_links() {
    let telemetry = kit::start();
    let [first, second] = requests();
    // The end arrives first, and one of the requests twice.
    for request in [&second, &first, &second] {
        assert_eq!(send(&telemetry, request), 0);
    }
    let updates = updates(&telemetry);
    let run = &updates["runs"][0];
    assert_eq!(updates["runs"].as_array().map(Vec::len), Some(1), "{updates}");
    assert_eq!(
        (&run["state"], &run["segments"], &run["agentsEnded"]),
        (&"success".into(), &2.into(), &2.into())
    );
    let spans = updates["detail"]["spans"].as_array().expect("spans");
    assert_eq!(spans.len(), 4);
    let linked = spans.iter().find(|span| span["links"].is_array()).expect("a link");
    assert!(spans.iter().any(|span| span["id"] == linked["links"][0]), "{updates}");
    assert_eq!(linked["process"], serde_json::json!(["worker", "two"]));
    // The details and the saved file have the resource.
    let path = format!(
        "/live/span?trace={}&span={}",
        linked["trace"].as_str().expect("an id"),
        linked["id"].as_str().expect("an id")
    );
    let details = kit::get(&telemetry, &path).json();
    assert_eq!(details["resource"]["attributes"][1]["value"]["stringValue"], "two", "{details}");
    let file = kit::get(&telemetry, "/live/trace?run=run-1").json();
    let read: ExportTraceServiceRequest = serde_json::from_value(file).expect("OTLP JSON");
    assert_eq!(read.resource_spans.len(), 2);
    let reread = kit::start();
    assert_eq!(send(&reread, &read), 0, "another view shows the saved file");
    assert_eq!(self::updates(&reread)["runs"][0]["state"], "success");
}

#[test]
fn json_is_accepted_and_the_response_is_json() {
    let telemetry = kit::start();
    let bearer = format!("Bearer {TOKEN}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
    let body = serde_json::to_vec(&requests()[1]).expect("JSON");
    let reply = post(&telemetry, "/v1/traces", &headers, body);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert!(reply.json().is_object());
    assert_eq!(updates(&telemetry)["runs"][0]["state"], "success");
    let reply = post(&telemetry, "/v1/traces", &headers, b"{\"resourceSpans\": 1}".to_vec());
    assert_eq!((reply.status, &reply.json()["code"]), (400, &3.into()), "{}", reply.body);
}

#[test]
fn a_request_that_is_not_accepted_names_the_value_and_the_remedy() {
    let telemetry = kit::start();
    let bearer = format!("Bearer {TOKEN}");
    let token = ("authorization", bearer.as_str());
    let valid = requests()[0].encode_to_vec();
    let too_large = vec![0; 4 * 1024 * 1024 + 1];
    let bomb = gzip(&vec![0; 8 * 1024 * 1024 + 1]);
    let json = ("content-type", "application/json");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("/v1/traces", &[PROTOBUF], &valid, 401, &["OTEL_EXPORTER_OTLP_TRACES_HEADERS"]),
        (
            "/v1/traces",
            &[token, ("content-type", "text/plain")],
            &valid,
            415,
            &["`text/plain`", "http/protobuf"],
        ),
        ("/v1/traces", &[token], &valid, 415, &["application/x-protobuf"]),
        (
            "/v1/traces",
            &[token, PROTOBUF, ("content-encoding", "br")],
            &valid,
            415,
            &["`br`", "gzip"],
        ),
        ("/v1/traces", &[token, PROTOBUF, ("content-encoding", "gzip")], &valid, 400, &["gzip"]),
        ("/v1/traces", &[token, PROTOBUF], b"\x0a\xff", 400, &["ExportTraceServiceRequest"]),
        (
            "/v1/traces",
            &[token, PROTOBUF],
            &too_large,
            413,
            &["4194304", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"],
        ),
        ("/v1/traces", &[token, PROTOBUF, ("content-encoding", "gzip")], &bomb, 413, &["8388608"]),
        (
            "/v1/metrics",
            &[token, PROTOBUF],
            b"",
            404,
            &["/v1/metrics", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
        ),
        (
            "/v1/traces",
            &[token, PROTOBUF, ("host", "rebound.example")],
            &valid,
            403,
            &["rebound.example", "OTEL_HUB_LIVE_HOSTS"],
        ),
        (
            "/v1/traces",
            &[token, PROTOBUF, ("origin", "https://evil.example")],
            &valid,
            403,
            &["https://evil.example"],
        ),
        (
            "/v1/traces",
            &[token, json, ("sec-fetch-site", "cross-site")],
            b"{}",
            403,
            &["another site"],
        ),
    ];
    for (path, headers, body, status, words) in cases {
        let reply = post(&telemetry, path, headers, body.to_vec());
        assert_eq!(reply.status, *status, "{path} {headers:?}: {}", reply.body);
        for word in *words {
            assert!(reply.body.contains(word), "{path} {headers:?}: {}", reply.body);
        }
        assert_eq!(reply.header("access-control-allow-origin"), None);
        if headers.contains(&PROTOBUF) {
            assert_eq!(reply.header("content-type"), Some("application/x-protobuf"));
            let (code, message) = status_of(&reply);
            assert!(code > 0 && !message.is_empty());
        }
    }
    // Neither a cookie nor the address may hold the token of a program.
    let cookie = format!(
        "hub_otel_live_{}={TOKEN}",
        kit::base(&telemetry).rsplit(':').next().expect("a port")
    );
    let by_cookie = post(&telemetry, "/v1/traces", &[PROTOBUF, ("cookie", &cookie)], valid.clone());
    let by_query = post(&telemetry, &format!("/v1/traces?token={TOKEN}"), &[PROTOBUF], valid);
    assert_eq!((by_cookie.status, by_query.status), (401, 401));
    let get = kit::get(&telemetry, "/v1/traces");
    assert_eq!(get.status, 405, "{}", get.body);
    assert_eq!(updates(&telemetry)["runs"].as_array().map(Vec::len), Some(0));
}

/// Decodes `google.rpc.Status`.
fn status_of(reply: &Reply) -> (i32, String) {
    let status = tonic_types::Status::decode(reply.bytes.clone()).expect("a status");
    (status.code, status.message)
}

#[test]
fn spans_without_ids_or_space_are_a_partial_success() {
    let telemetry = kit::start();
    let mut spans =
        vec![segment(1, 1, "SUCCESS"), agent(1, 2, 1, "first"), agent(1, 3, 1, "second")];
    spans[1].trace_id.clear();
    spans[2].attributes.push(text("text", &"x".repeat(1024 * 1024)));
    assert_eq!(send(&telemetry, &request("one", spans)), 2);
    // More spans of one trace than it may have.
    let many = (0..10_050_u64).map(|number| Span {
        span_id: (number + 1_000).to_be_bytes().to_vec(),
        ..agent(1, 1, 0, "many")
    });
    assert_eq!(send(&telemetry, &request("one", many.collect())), 51);
    let updates = updates(&telemetry);
    assert_eq!(updates["dropped"]["noSpace"], 51, "{}", updates["dropped"]);
}

#[test]
fn secrets_of_another_process_are_redacted_also_in_nested_values() {
    let telemetry = kit::start();
    let mut span = segment(1, 1, "SUCCESS");
    span.attributes.push(text("api_key", "hunter2"));
    let nested =
        any_value::Value::KvlistValue(opentelemetry_proto::tonic::common::v1::KeyValueList {
            values: vec![text("password", "hunter2"), text("name", "kept")],
        });
    let nested = AnyValue { value: Some(nested) };
    span.attributes.push(KeyValue {
        key: "config".to_owned(),
        value: Some(nested),
        ..KeyValue::default()
    });
    assert_eq!(send(&telemetry, &request("one", vec![span])), 0);
    let file = kit::get(&telemetry, "/live/trace?run=run-1").body;
    assert!(
        file.contains("kept") && file.contains("api_key") && !file.contains("hunter2"),
        "{file}"
    );
}

/// Settings that send the traces to the view of `telemetry`.
fn sends_to(view: &str) -> [(String, String); 7] {
    [
        ("OTEL_SERVICE_NAME", "sender".to_owned()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{view}/v1/traces")),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf".to_owned()),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip".to_owned()),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", format!("authorization=Bearer%20{TOKEN}")),
        ("OTEL_METRICS_EXPORTER", "none".to_owned()),
        ("OTEL_LOGS_EXPORTER", "none".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
}

#[test]
fn the_exporter_of_this_library_delivers_with_the_documented_variables() {
    let view = kit::start();
    let sender =
        Telemetry::builder().env_source(sends_to(&kit::base(&view))).build().expect("it starts");
    let tracer = kit::tracer(&sender);
    let run = kit::workflow(&tracer, "sent", "run-1");
    kit::record(&tracer, &run, "step".to_owned(), Vec::new());
    kit::end(&run, "SUCCESS");
    let report = sender.shutdown_blocking();
    assert_eq!((report.traces.ok, report.lost()), (2, 0), "{report:?}");
    let updates = updates(&view);
    assert_eq!(updates["runs"][0]["state"], "success");
    assert_eq!(updates["detail"]["spans"][0]["process"][0], "sender", "{updates}");
}

#[test]
fn a_process_that_sends_to_its_own_view_has_every_span_once() {
    // The port is free again after the first process, which only finds it.
    let first = kit::start();
    let address = kit::base(&first).replace("http://", "");
    first.shutdown_blocking();
    let telemetry = poll::until(TIMEOUT, || {
        let builder = Telemetry::builder().env_source(sends_to(&format!("http://{address}")));
        builder.live_token(TOKEN).live(address.clone()).build().ok()
    });
    let tracer = kit::tracer(&telemetry);
    for _ in 0..3 {
        let run = kit::workflow(&tracer, "sent", "run-1");
        kit::record(&tracer, &run, "step".to_owned(), Vec::new());
        kit::end(&run, "SUCCESS");
    }
    telemetry.flush_blocking();
    let delivered = poll::until(TIMEOUT, || {
        let health = kit::get(&telemetry, "/live/health").json();
        let traces = health["delivery"].as_array()?.iter().find(|it| it["signal"] == "traces")?;
        (traces["pending"] == 0 && traces["ok"].as_u64()? >= 6).then(|| traces.clone())
    });
    assert_eq!(delivered["ok"], 6, "requests to the view are no telemetry: {delivered}");
    let updates = updates(&telemetry);
    assert_eq!(updates["detail"]["spans"].as_array().map(Vec::len), Some(6), "{updates}");
    assert_eq!(
        (&updates["runs"][0]["segments"], &updates["totals"]["started"]),
        (&3.into(), &1.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_processes_of_a_run_in_one_tree() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let sent = tokio::task::block_in_place(|| requests().map(|request| send(&telemetry, &request)));
    assert_eq!(sent, [0, 0]);
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click(".run-row", "three").await;
    let lines = "return [...document.querySelectorAll('.line')].map((line) => [line.ariaLevel, line.querySelector('.name').textContent, line.querySelector('.note').textContent].join(' '))";
    browser.wait("return document.querySelectorAll('.line').length === 4").await;
    let shown = browser.run(lines).await;
    let expected = ["1 three one", "2 first · act ", "1 three two", "2 second · act "];
    assert_eq!(shown, serde_json::json!(expected));
    browser.click(".line:nth-child(3)", "three").await;
    browser.wait_for_text("→ links to").await;
    browser.wait_for_text("recorded by another process").await;
    browser.wait_for_text("service.instance.id").await;
    browser.click(".line:nth-child(1)", "three").await;
    browser.wait_for_text("← linked from").await;
    browser.close().await;
}
