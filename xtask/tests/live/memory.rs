//! Memory of the Collector, Prometheus and the orchestrator at 100 spans/s and 100 log records/s.

use crate::stack::{Collector, Configuration, Orchestrator, Way};
use hub_otel_tests::receiver::{Receiver, Signal};
use hub_otel_tests::{http, poll, ports};
use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Duration of the load in seconds.
const SECONDS: u64 = 60;

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn memory_under_a_hundred_spans_and_a_hundred_log_records_a_second() {
    let backends = Receiver::counting();
    let configuration = Configuration::copied(&[]);
    let collector = Collector::start(&backends, configuration.port());
    configuration.target("otel-collector", Some(collector.metrics));
    let prometheus = configuration.start();
    let orchestrator = Orchestrator::start(&collector.grpc, Way::Pushed, ports::free(), &[]);

    let start = Instant::now();
    for second in 0..SECONDS {
        send(&collector, second);
        std::thread::sleep(
            (start + Duration::from_secs(second + 1)).saturating_duration_since(Instant::now()),
        );
    }
    // No item was dropped.
    poll::until(Duration::from_secs(180), || {
        backends.stored(Signal::Traces) >= SECONDS * 100
            && backends.stored(Signal::Logs) >= SECONDS * 100
    });
    eprintln!(
        "memory after {SECONDS} s of 100 spans/s and 100 log records/s over OTLP/HTTP, from /proc/<pid>/status, in MB:"
    );
    eprintln!(
        "| component | resident (VmRSS) | anonymous (RssAnon) | peak (VmHWM) |\n|---|---|---|---|"
    );
    for (name, process, cap) in [
        ("Collector 0.165", &collector.process, 128),
        ("Prometheus 3.16", &prometheus.process, 256),
        ("orchestrator (debug build)", &orchestrator.process, 256),
    ] {
        let [resident, anonymous, peak] =
            ["VmRSS", "RssAnon", "VmHWM"].map(|key| megabytes(process.id(), key));
        eprintln!("| {name} | {resident} | {anonymous} | {peak} |");
        assert!(anonymous < cap, "{name}: {anonymous} MB exceed the memory limit of {cap} MB");
    }
}

/// Sends the load of one second.
pub(crate) fn send(collector: &Collector, second: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let resource =
        json!({"attributes": [{"key": "service.name", "value": {"stringValue": "memory-load"}}]});
    let span = |index: u64| {
        json!({
            "traceId": format!("{second:016x}{:016x}", index / 10 + 1),
            "spanId": format!("{:016x}", second * 1000 + index + 1),
            "name": "workflow.execute",
            "kind": 1,
            "startTimeUnixNano": now.to_string(),
            "endTimeUnixNano": (now + 1_000_000).to_string(),
            "attributes": [{"key": "workflow.id", "value": {"stringValue": format!("workflow-{}", index % 10)}}],
        })
    };
    let record = |index: u64| {
        json!({
            "timeUnixNano": now.to_string(),
            "severityNumber": 9,
            "severityText": "INFO",
            "body": {"stringValue": format!("run {index} of second {second} has ended")},
        })
    };
    let spans: Vec<_> = (0..100).map(span).collect();
    let records: Vec<_> = (0..100).map(record).collect();
    let traces =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    let logs =
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
    for (path, body) in [("traces", traces), ("logs", logs)] {
        let reply = http::post(format!("{}/v1/{path}", collector.http), &body.to_string());
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

fn megabytes(process: u32, key: &str) -> u64 {
    let status = fs_status(process);
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default()
        / 1024
}

fn fs_status(process: u32) -> String {
    std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}
