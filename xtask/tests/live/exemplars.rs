//! Panels on Tempo's span metrics, queried on a histogram with exemplars in Tempo's format.

use crate::query::{self, OF_TEMPO};
use crate::stack::Configuration;
use hub_otel_tests::{http, poll};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Pushes a histogram in the format of Tempo's generator, with `runs` values between 1 and 2
/// seconds.
fn push(port: u16, runs: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let attributes =
        ["service=orchestration-service", "span_name=workflow.execute", "source=tempo"].map(
            |pair| {
                let (key, value) = pair.split_once('=').expect("a pair");
                json!({"key": key, "value": {"stringValue": value}})
            },
        );
    let point = json!({
        "attributes": attributes,
        "startTimeUnixNano": "1",
        "timeUnixNano": now.to_string(),
        "count": runs.to_string(),
        "sum": 1.5,
        "bucketCounts": ["0", runs.to_string(), "0"],
        "explicitBounds": [1.0, 2.0],
        "exemplars": [{"timeUnixNano": now.to_string(), "asDouble": 1.5, "traceId": TRACE, "spanId": "b7ad6b7169203331"}],
    });
    let metric = json!({"name": "traces_spanmetrics_latency", "histogram": {"aggregationTemporality": 2, "dataPoints": [point]}});
    let body = json!({"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [{"metrics": [metric]}]}]});
    let reply =
        http::post(format!("http://127.0.0.1:{port}/api/v1/otlp/v1/metrics"), &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn a_panel_on_span_metrics_of_tempo_shows_their_quantile_and_exemplars() {
    let prometheus = Configuration::copied(&[]).start();
    let queries = query::all();
    for title in OF_TEMPO {
        let panel = queries
            .iter()
            .find(|query| query.panel == title)
            .unwrap_or_else(|| panic!("no {title}"));
        let mut runs = 0;
        let shown = poll::until(Duration::from_secs(120), || {
            runs += 1;
            push(prometheus.port, runs);
            panel.run(&prometheus, "0").only()
        });
        assert!((1.0..=2.0).contains(&shown), "{title}: {shown}");
        let exemplars: Value = prometheus.exemplars("traces_spanmetrics_latency_bucket");
        let labels = &exemplars["data"][0]["exemplars"][0]["labels"];
        // The label that the data source links to a trace.
        assert_eq!(labels["trace_id"], TRACE, "{exemplars}");
    }
    prometheus.process.assert_no_warnings("Prometheus");
}
