//! The metrics endpoint: conventional names, counters that start at zero, a gauge that returns to
//! zero.

use crate::server::{Server, TIMEOUT, folder, serve};
use hub_otel::semconv::{InstrumentKind, METRICS};
use hub_otel_tests::poll;
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use serde_json::json;

fn runs(scrape: &Scrape, workflow: &str, status: &str) -> Option<f64> {
    scrape.value(
        "workflow_runs_total",
        &[("workflow_id", workflow), ("status", status), ("trigger_type", "manual")],
    )
}

#[test]
fn runs_are_counted_from_zero_and_the_gauge_returns_to_zero() {
    let receiver = Receiver::start();
    let folder = folder();
    let server = Server::start(&mut serve(folder.path(), &receiver.endpoint()));

    let before = Scrape::of(&server.metrics);
    for workflow in ["scan-and-notify", "test-failure"] {
        for status in ["SUCCESS", "FAILED", "TIMED_OUT"] {
            assert_eq!(runs(&before, workflow, status), Some(0.0), "{workflow} {status}");
        }
    }

    let ids = [
        server.trigger("scan-and-notify", &json!({ "repository": "." })).0,
        server.trigger("test-failure", &json!({})).0,
    ];
    assert_eq!(
        ids.map(|id| server.ended(&id)["status"].clone()),
        [json!("SUCCESS"), json!("FAILED")]
    );

    let after = poll::until(TIMEOUT, || {
        let scrape = Scrape::of(&server.metrics);
        (runs(&scrape, "test-failure", "FAILED") == Some(1.0)).then_some(scrape)
    });
    assert_eq!(runs(&after, "scan-and-notify", "SUCCESS"), Some(1.0));
    assert_eq!(runs(&after, "scan-and-notify", "FAILED"), Some(0.0));
    assert_eq!(runs(&after, "test-failure", "SUCCESS"), Some(0.0));
    for (workflow, status) in [("scan-and-notify", "SUCCESS"), ("test-failure", "FAILED")] {
        let labels = [("workflow_id", workflow), ("status", status)];
        assert_eq!(
            after.value("workflow_duration_milliseconds_count", &labels),
            Some(1.0),
            "{workflow}"
        );
        assert_eq!(
            after.value("workflows_active", &[("workflow_id", workflow)]),
            Some(0.0),
            "{workflow}"
        );
    }
    for (agent, action, status) in [
        ("scanner", "scan", "SUCCESS"),
        ("notifier", "notify", "SUCCESS"),
        ("fault", "fail", "FAILED"),
    ] {
        let labels = [("agent_id", agent), ("action", action), ("status", status)];
        assert_eq!(after.value("agent_runs_total", &labels), Some(1.0), "{agent}");
        assert_eq!(after.value("agent_duration_milliseconds_count", &labels), Some(1.0), "{agent}");
    }
    assert_eq!(after.value("agent_errors_total", &[("agent_id", "fault")]), Some(1.0));
    assert_eq!(after.value("workflow_errors_total", &[("workflow_id", "test-failure")]), Some(1.0));

    // Every series has `service_name`, no scope label and no repeated suffix. Every family has HELP
    // and TYPE.
    for sample in &after.samples {
        assert_eq!(
            sample.labels.get("service_name").map(String::as_str),
            Some("orchestration-service"),
            "{sample:?}"
        );
        assert_eq!(
            sample.labels.get("service_namespace").map(String::as_str),
            Some("commandcenter-hub"),
            "{sample:?}"
        );
        assert!(!sample.labels.keys().any(|label| label.starts_with("otel_scope")), "{sample:?}");
        assert!(
            !sample.name.contains("_total_total") && !sample.name.contains("_ratio"),
            "{sample:?}"
        );
    }
    for metric in METRICS {
        let Some(family) = after.families.get(metric.prometheus) else { continue };
        let kind = match metric.kind {
            InstrumentKind::Counter => "counter",
            InstrumentKind::Histogram => "histogram",
            InstrumentKind::UpDownCounter | InstrumentKind::Gauge => "gauge",
        };
        assert_eq!(family.kind, kind, "{}", metric.prometheus);
        assert_eq!(family.help, metric.description, "{}", metric.prometheus);
    }
    server.stop(TIMEOUT);
}
