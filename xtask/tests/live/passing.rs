//! Delivery of a trace, a log record and a metric of the orchestrator through the Collector.

use crate::api::{Api, text};
use crate::stack::{Collector, Configuration, Orchestrator, Way};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{poll, ports};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(180);

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn a_trace_a_log_and_a_metric_pass_through_the_shipped_collector() {
    let backends = Receiver::start();
    let configuration = Configuration::copied(&[]);
    let collector = Collector::start(&backends, configuration.port());
    configuration.target("otel-collector", Some(collector.metrics));
    let prometheus = configuration.start();
    let orchestrator = Orchestrator::start(&collector.grpc, Way::Pushed, ports::free(), &[]);
    let api = Api::new(&orchestrator.url);

    let (status, triggered) = api.trigger("scan-and-notify", "manual", &json!({"repository": "."}));
    assert_eq!(status, 202, "{triggered}");
    let trace = text(&triggered["traceId"]);

    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spans = poll::until(SOON, || {
        let spans: Vec<_> =
            backends.spans().into_iter().filter(|span| hex(&span.item.trace_id) == trace).collect();
        spans.iter().any(|span| span.item.name == "workflow.execute").then_some(spans)
    });
    let resource = |key: &str| {
        hub_otel_tests::receiver::text(&spans[0].resource.attributes, key).map(str::to_owned)
    };
    assert_eq!(resource("service.name").as_deref(), Some("orchestration-service"));
    assert_eq!(resource("service.namespace").as_deref(), Some("commandcenter-hub"));
    assert_eq!(
        resource("deployment.environment.name").as_deref(),
        Some("test"),
        "the Collector adds it"
    );
    poll::until(SOON, || backends.logs().iter().any(|log| hex(&log.item.trace_id) == trace));
    let pushed = r#"workflow_runs_total{workflow_id="scan-and-notify", status="SUCCESS", job="commandcenter-hub/orchestration-service", service_name="orchestration-service", service_namespace="commandcenter-hub"}"#;
    poll::until(SOON, || prometheus.instant(pushed).only() == Some(1.0));
    assert!(
        prometheus
            .instant("target_info{job=\"commandcenter-hub/orchestration-service\"}")
            .only()
            .is_some()
    );

    // The queries of the dashboards' variables return values.
    for (label, selector, expected) in [
        ("service_name", "process_uptime_seconds", "orchestration-service"),
        ("workflow_id", r#"workflow_runs_total{service_name=~".*"}"#, "scan-and-notify"),
        ("agent_id", r#"agent_runs_total{service_name=~".*"}"#, "scanner"),
    ] {
        assert!(
            prometheus.label_values(label, selector).iter().any(|value| value == expected),
            "{label}"
        );
    }
    // The Collector exposes its metrics with the names that the rules use.
    poll::until(SOON, || {
        prometheus.instant("sum(otelcol_exporter_queue_capacity)").only() == Some(60_000.0)
    });
    assert!(prometheus.instant("otelcol_process_uptime_seconds_total").only().is_some());

    collector.process.assert_no_warnings("the Collector");
    prometheus.process.assert_no_warnings("Prometheus");
    orchestrator.process.assert_no_warnings("the orchestrator");
}
