//! Delivery of an alert and of its resolution with the shipped rules and notification policies.
//! Alertmanager replaces Grafana's.

use crate::api::Api;
use crate::copied::copied;
use crate::stack::{Collector, Configuration, Orchestrator, START, Way, tool};
use crate::webhook::Chat;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{http, poll, ports};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Token of the webhook.
pub(crate) const TOKEN: &str = "a-token-of-this-test";

/// Address of Alertmanager in messages.
const ADDRESS: &str = "https://alertmanager.example";

/// Expected maximum delays of the delivery of an alert and of its resolution. The shipped timing
/// results in 12 to 40 s and in 3 minutes. The test allows three times these limits on a busy
/// machine and prints the measured delays.
const DELIVERED: Duration = Duration::from_secs(60);
const RESOLVED: Duration = Duration::from_secs(300);

/// Writes the configuration that `init` generates, with the webhook and the token of this test.
/// An empty heartbeat is none.
fn alertmanager(webhook: &str, heartbeat: &str) -> (TempDir, PathBuf) {
    let (folder, copy) = copied();
    let init = Command::new("sh")
        .arg(copy.join("init"))
        .env("HUB_HEARTBEAT_URL", heartbeat)
        .output()
        .expect("sh runs");
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    fs::write(copy.join("secrets/webhook_token"), TOKEN).expect("written");
    let file = copy.join("alertmanager/alertmanager.yml");
    let text = fs::read_to_string(&file)
        .expect("generated")
        .replace("http://orchestrator:9002/api/webhooks/grafana", webhook)
        .replace("/run/secrets", &copy.join("secrets").to_string_lossy())
        .replace("/etc/alertmanager", &copy.join("alertmanager").to_string_lossy());
    fs::write(&file, text).expect("written");
    (folder, file)
}

/// Starts Alertmanager with the configuration that `init` generates. Returns its folder, process
/// and port.
pub(crate) fn start_alertmanager(webhook: &str, heartbeat: &str) -> (TempDir, Process, u16) {
    let port = ports::free();
    let (folder, file) = alertmanager(webhook, heartbeat);
    let mut process = Process::spawn(
        command(tool("alertmanager"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .args([&format!("--web.external-url={ADDRESS}"), "--web.route-prefix=/"]),
    );
    process.wait_until_ready(START, &format!("http://127.0.0.1:{port}/-/ready"));
    (folder, process, port)
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn twenty_failures_are_notified_within_a_minute_and_their_resolution_within_five() {
    let (chat, heartbeat) = (Chat::start(), Chat::start());
    let backends = Receiver::counting();
    // Reserved until the orchestrator, which starts last, listens on it.
    let metrics = ports::Closed::new();
    let configuration = Configuration::copied(&[("orchestration-service", Some(metrics.port()))]);
    let collector = Collector::start(&backends, configuration.port());
    let orchestrator = Orchestrator::start(
        &collector.grpc,
        Way::Scraped,
        metrics.port(),
        &[
            ("HUB_WEBHOOK_TOKEN", TOKEN),
            ("SLACK_WEBHOOK_URL", &chat.url()),
            ("HUB_NOTIFY_ALLOW_HOST", &chat.host()),
            ("HUB_NOTIFY_ALLOW_PRIVATE", "true"),
        ],
    );
    let webhook = format!("{}/api/webhooks/grafana", orchestrator.url);
    let (_folder, alertmanager, port) = start_alertmanager(&webhook, &heartbeat.url());
    configuration.target("alertmanager", Some(port));
    let prometheus = configuration.start();
    let api = Api::new(&orchestrator.url);

    // Before the failures, the service is scraped and no alert fires.
    poll::until(START, || prometheus.instant("process_uptime_seconds").only().is_some());
    poll::until(START, || prometheus.firing().contains(&"Watchdog".to_owned()));
    assert_eq!(prometheus.firing(), ["Watchdog"]);
    assert_eq!(chat.delivered(), 0, "no notification before the failures");

    let context = json!({"repository": "."});
    for _ in 0..20 {
        assert_eq!(api.trigger("test-failure", "manual", &context).0, 202);
    }
    let failed = Instant::now();
    let fired = poll::until(3 * DELIVERED, || {
        prometheus.firing().contains(&"WorkflowFailureRate".to_owned()).then(|| failed.elapsed())
    });
    poll::until(3 * DELIVERED, || chat.has(&["Alert: WorkflowFailureRate"]));
    let notified = failed.elapsed();
    let silence = format!("{ADDRESS}/#/silences/new?filter=%7Balertname%3D%22WorkflowFailureRate");
    assert!(chat.has(&["Alert: WorkflowFailureRate", &silence]), "no link to {silence}");
    eprintln!("fired after {fired:?}, delivered after {notified:?} (limit {DELIVERED:?})");
    assert!(notified < 3 * DELIVERED, "{notified:?}");
    poll::until(START, || {
        api.by_status(&["alert-notification"]).get("SUCCESS").is_some_and(|runs| *runs >= 1.0)
    });

    for _ in 0..200 {
        assert_eq!(api.trigger("scan-and-notify", "manual", &context).0, 202);
    }
    poll::until(3 * DELIVERED, || {
        api.by_status(&["scan-and-notify"]).get("SUCCESS").is_some_and(|runs| *runs >= 200.0)
    });
    let recovered = Instant::now();
    poll::until(3 * RESOLVED, || chat.has(&["Resolved: WorkflowFailureRate"]));
    let resolved = recovered.elapsed();
    eprintln!("resolution delivered {resolved:?} after the successes (limit {RESOLVED:?})");
    let beats = heartbeat.times();
    eprintln!("{} heartbeats", beats.len());
    assert!(beats.len() >= 3, "{beats:?}");
    for pair in beats.windows(2) {
        assert!(pair[1] - pair[0] <= HEARTBEAT, "{beats:?}");
    }
    // The failures also cause these alerts. The notifications must not cause any other alert.
    let expected = [
        "AgentFailing",
        "AgentFailureSpike",
        "ErrorBudgetBurnFast",
        "ErrorBudgetBurnSlow",
        "Watchdog",
        "WorkflowFailing",
    ];
    let others: Vec<String> = prometheus
        .firing()
        .into_iter()
        .filter(|alert| !expected.contains(&alert.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    prometheus.process.assert_no_warnings("Prometheus");
    alertmanager.assert_no_warnings("Alertmanager");
}

/// Maximum time between two heartbeats, which are a minute apart.
const HEARTBEAT: Duration = Duration::from_secs(75);

/// Expected maximum delay between two breaches and their notifications.
const SECOND: Duration = Duration::from_secs(30);

/// Sends a firing alert to Alertmanager, as Prometheus does.
fn fire(port: u16, workflow: &str) {
    let alert = json!([{
        "labels": {
            "alertname": "WorkflowFailing",
            "severity": "critical",
            "service_name": "orchestration-service",
            "workflow_id": workflow,
        },
        "annotations": {"summary": format!("the runs of {workflow} fail")},
    }]);
    let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
    let reply = http::post(url, &alert.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn a_second_breach_is_notified_within_thirty_seconds() {
    let chat = Chat::start();
    let (_folder, alertmanager, port) = start_alertmanager(&chat.url(), "");
    let mut delays = Vec::new();
    // The first group is still firing, and was notified already, when the others begin.
    for workflow in ["scan", "patch", "report"] {
        fire(port, workflow);
        let fired = Instant::now();
        poll::until(4 * SECOND, || chat.has(&[&format!("the runs of {workflow} fail")]));
        delays.push(fired.elapsed());
    }
    eprintln!("three breaches notified after {delays:?} (limit {SECOND:?})");
    assert!(delays.iter().all(|delay| *delay < SECOND), "{delays:?}");
    alertmanager.assert_no_warnings("Alertmanager");
}
