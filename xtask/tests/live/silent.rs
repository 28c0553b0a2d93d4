//! ServiceDown of pushed services: a killed process of any name, and a host whose clock is slow.

use crate::prometheus::{Prometheus, now};
use crate::stack::{Collector, Configuration, Orchestrator, Way};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{http, poll, ports};
use serde_json::json;
use std::time::{Duration, Instant};

/// Maximum delay from a SIGKILL to the alert. On a busy machine it may be a quarter longer.
const NOTICED: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(240);

/// Pushes the uptime of a process whose clock is slow by `skew` seconds.
fn push(prometheus: &Prometheus, service: &str, uptime: f64, skew: f64) {
    let nanoseconds = format!("{:.0}", (now() - skew) * 1e9);
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let body = json!({"resourceMetrics": [{
        "resource": {"attributes": [
            text("service.name", service),
            text("service.instance.id", "i-1"),
        ]},
        "scopeMetrics": [{"metrics": [{
            "name": "process.uptime",
            "unit": "s",
            "gauge": {"dataPoints": [{"timeUnixNano": nanoseconds, "asDouble": uptime}]},
        }]}],
    }]});
    let reply = http::try_send(
        http::Method::POST,
        format!("http://127.0.0.1:{}/api/v1/otlp/v1/metrics", prometheus.port),
        &[("content-type", "application/json")],
        &body.to_string(),
    )
    .expect("a reply");
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn down(prometheus: &Prometheus, service: &str, states: &str) -> bool {
    let alerts = format!(
        r#"ALERTS{{alertname="ServiceDown", service_name="{service}", alertstate=~"{states}"}}"#
    );
    !prometheus.instant(&alerts).series.is_empty()
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn a_killed_service_of_any_name_is_noticed_and_a_clock_45_seconds_slow_is_not() {
    let backends = Receiver::counting();
    let configuration = Configuration::copied(&[]);
    let collector = Collector::start(&backends, configuration.port());
    let prometheus = configuration.start();
    let billing = Orchestrator::start(
        &collector.grpc,
        Way::Pushed,
        ports::free(),
        &[("OTEL_SERVICE_NAME", "billing")],
    );
    let start = Instant::now();
    let mut pushes = 0.0;
    let mut slow = || {
        if start.elapsed().as_secs_f64() >= pushes * 10.0 {
            push(&prometheus, "slow", pushes * 10.0, 45.0);
            pushes += 1.0;
        }
        assert!(!down(&prometheus, "slow", "pending|firing"), "a slow clock is no outage");
    };
    // An instance is watched after 90 s.
    let recorded = |service: &str| {
        format!(
            "count_over_time(service:pushed_instance:timestamp_seconds{{service_name=\"{service}\"}}[2m]) >= 9"
        )
    };
    poll::until(SOON, || {
        slow();
        ["billing", "slow"]
            .iter()
            .all(|service| prometheus.instant(&recorded(service)).only().is_some())
    });
    assert!(!down(&prometheus, "billing", "pending|firing"));
    billing.process.kill();
    let killed = Instant::now();
    let noticed = poll::until(SOON, || {
        slow();
        down(&prometheus, "billing", "firing").then(|| killed.elapsed())
    });
    eprintln!("ServiceDown {noticed:?} after the SIGKILL (limit {NOTICED:?})");
    assert!(noticed < NOTICED * 5 / 4, "{noticed:?}");
}
