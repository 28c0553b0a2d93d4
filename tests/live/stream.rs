//! The stream of changes, its reconnection, and the documents.

use crate::kit::{self, TOKEN};
use hub_otel_tests::poll;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, TraceContextExt as _, TracerProvider as _};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a stream and returns its lines.
pub(crate) fn events(base: &str, query: &str, last: Option<&str>) -> BufReader<TcpStream> {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /live/events?{query} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n{last}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    BufReader::new(stream)
}

/// Reads the next event.
fn next(events: &mut BufReader<TcpStream>) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(events.read_line(&mut line).expect("a line") > 0, "the stream ended");
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str(data).expect("JSON");
        }
    }
}

/// Reads events until one has a run in this state.
fn until_state(events: &mut BufReader<TcpStream>, state: &str) -> Value {
    loop {
        let event = next(events);
        if event["runs"].as_array().expect("a list").iter().any(|run| run["state"] == *state) {
            return event;
        }
    }
}

#[test]
fn a_run_is_sent_at_its_start_and_at_its_end_and_a_reconnect_loses_nothing() {
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let base = kit::base(&telemetry);
    let mut first = events(&base, "", None);
    assert_eq!(next(&mut first)["reset"], true);
    let run = kit::workflow(&tracer, "review", "run-1");
    let started = until_state(&mut first, "running");
    let id = started["id"].as_str().expect("an id").to_owned();
    drop(first);

    // The run ends while the client is not connected.
    kit::end(&run, "SUCCESS");
    let other = kit::workflow(&tracer, "review", "run-2");
    let mut second = events(&base, "run=run-1", Some(&id));
    let event = until_state(&mut second, "success");
    assert_eq!(event["reset"], false);
    assert_eq!(event["totals"]["started"], 2);
    kit::end(&other, "FAILED");
    let failed = until_state(&mut second, "failed");
    let runs = failed["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 1, "only the changed run: {runs:?}");

    // Another process has other numbers.
    let mut foreign = events(&base, "", Some("000000000000.5.5"));
    assert_eq!(next(&mut foreign)["reset"], true);
}

#[test]
fn at_most_32_clients_are_served_and_a_closed_one_makes_room() {
    let telemetry = kit::start();
    let base = kit::base(&telemetry);
    let mut clients: Vec<_> = (0..32).map(|_| events(&base, "", None)).collect();
    clients.iter_mut().for_each(|client| drop(next(client)));
    let mut refused = String::new();
    events(&base, "", None).read_line(&mut refused).expect("a status");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    drop(clients.pop());
    poll::until(TIMEOUT, || {
        let mut status = String::new();
        let mut client = events(&base, "", None);
        client.read_line(&mut status).expect("a status");
        status.starts_with("HTTP/1.1 200 ")
    });
}

#[test]
fn a_client_that_reads_nothing_delays_neither_the_application_nor_others() {
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let base = kit::base(&telemetry);
    let _stalled: Vec<_> = (0..8).map(|_| events(&base, "", None)).collect();
    for number in 0..2_000 {
        kit::end(&kit::workflow(&tracer, "review", &format!("run-{number}")), "SUCCESS");
    }
    let mut reader = events(&base, "", None);
    let mut listed = 0;
    while listed < 2_000 {
        listed += next(&mut reader)["runs"].as_array().expect("a list").len();
    }
    let totals = kit::get(&telemetry, "/live/updates").json()["totals"].clone();
    assert_eq!((&totals["started"], &totals["success"]), (&2_000.into(), &2_000.into()));
}

#[test]
fn a_span_in_progress_has_its_late_attributes_and_a_trace_is_an_otlp_document() {
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    let mut call = kit::child(&tracer, &run, "GET /".to_owned(), Vec::new());
    call.set_attribute(KeyValue::new("api_key", "hunter2"));
    call.end();
    let (trace, span) = (run.span().span_context().trace_id(), run.span().span_context().span_id());
    let open = kit::get(&telemetry, &format!("/live/span?trace={trace}&span={span}")).json();
    assert_eq!(open["traceId"], trace.to_string());
    assert_eq!(open["endTimeUnixNano"].as_str().unwrap_or("0"), "0");
    kit::end(&run, "SUCCESS");
    let file = kit::get(&telemetry, "/live/trace?run=run-1");
    let disposition = file.header("content-disposition").expect("a file");
    assert!(disposition.contains(&format!("trace-{trace}.json")), "{disposition}");
    assert!(!file.body.contains("hunter2"), "{}", file.body);
    let texts = kit::get(&telemetry, "/live/updates?run=run-1&texts=1").body;
    assert!(texts.contains("api_key=") && !texts.contains("hunter2"), "{texts}");
    // The document is one that any OTLP/HTTP receiver reads.
    let request: opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest =
        serde_json::from_str(&file.body).expect("OTLP JSON");
    let resource = &request.resource_spans[0];
    let spans: Vec<_> = resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.end_time_unix_nano > 0));
    assert!(resource.resource.as_ref().is_some_and(|resource| !resource.attributes.is_empty()));
}

#[test]
fn content_that_is_captured_as_events_is_shown_with_its_span_and_names_its_line() {
    let builder = kit::builder().capture_content(hub_otel::ContentCapture::Events);
    let telemetry = builder.live("127.0.0.1:0").build().expect("it starts");
    let run = kit::workflow(&kit::tracer(&telemetry), "review", "run-1");
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"c4n4ry"}]}]"#;
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.input.messages", messages),
    ];
    let application = hub_otel::otel::tracer_provider(&telemetry).tracer("application");
    kit::record(&application, &run, "chat m".to_owned(), attributes);
    let updates = kit::get(&telemetry, "/live/updates?run=run-1").json();
    let line = &updates["detail"]["logs"][0];
    let text = line["text"].as_str().expect("a line");
    let name = "gen_ai.client.inference.operation.details ";
    assert!(text.starts_with(name) && !text.contains("c4n4ry"), "{text}");
    let (trace, span) =
        (run.span().span_context().trace_id(), line["span"].as_str().expect("an id"));
    let span = kit::get(&telemetry, &format!("/live/span?trace={trace}&span={span}")).json();
    assert!(!span["attributes"].to_string().contains("c4n4ry"), "{span}");
    assert_eq!(span["content"][0][0]["key"], "gen_ai.input.messages", "{span}");
    assert!(span["content"].to_string().contains("c4n4ry"), "{span}");
    assert!(!updates.to_string().contains("c4n4ry"), "{updates}");
    let texts = kit::get(&telemetry, "/live/updates?run=run-1&texts=1").json();
    let texts = texts["detail"]["spans"].to_string();
    assert!(texts.contains("gen_ai.input.messages=") && texts.contains("c4n4ry"), "{texts}");
    kit::end(&run, "SUCCESS");
}

#[test]
fn a_span_in_progress_has_the_limits_of_a_span_that_ended() {
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    let large = |index| KeyValue::new(format!("text.{index}"), "x".repeat(4_000));
    let span = kit::child(&tracer, &run, "GET /".to_owned(), (0..100).map(large).collect());
    let bytes = kit::get(&telemetry, "/live/updates").json()["bytes"].as_u64().expect("a size");
    assert!((32 * 1024..72 * 1024).contains(&bytes), "{bytes}");
    drop(span);
    kit::end(&run, "SUCCESS");
}

#[test]
fn garbage_and_huge_requests_harm_nothing() {
    let telemetry = kit::start();
    let base = kit::base(&telemetry);
    let address = base.trim_start_matches("http://");
    let mut garbage = TcpStream::connect(address).expect("a connection");
    garbage.write_all(b"\x16\x03\x01\x00\xff rubbish\r\n\r\n").expect("sent");
    let mut huge = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "POST /live/cancel HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n"
    );
    huge.write_all(head.as_bytes()).expect("sent");
    let _ = huge.write_all(&vec![b'x'; 1 << 20]);
    let mut status = [0; 12];
    let _ = huge.read(&mut status);
    assert_ne!(&status, b"HTTP/1.1 200");
    assert_eq!(kit::get(&telemetry, "/live/info").status, 200);
}
