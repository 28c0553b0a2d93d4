//! Webhook requests recorded from Grafana and sent with new signatures. Each new alert starts a run
//! of alert-notification, and each run delivers a notification.

use crate::api::{Api, text};
use crate::stack::{Orchestrator, START, Way};
use crate::webhook::Chat;
use hmac::{Hmac, KeyInit, Mac};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{http, poll, ports};
use serde_json::Value;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};
use xtask::files::root;

const SECRET: &str = "a-secret-of-this-test";
const SIGNATURE: &str = "X-Grafana-Alerting-Signature";
const TIMESTAMP: &str = "X-Grafana-Alerting-Timestamp";

/// A recorded request.
struct Recorded {
    case: String,
    method: http::Method,
    body: String,
}

/// Returns the 27 recorded requests, sorted by name, so that firing comes before resolved.
fn recorded() -> Vec<Recorded> {
    let folder = root().join("examples/orchestrator/tests/data/grafana");
    let files =
        fs::read_dir(folder).expect("the recordings").map(|entry| entry.expect("an entry").path());
    let mut recorded: Vec<Recorded> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let file: Value =
                serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
            Recorded {
                case: text(&file["case"]),
                method: http::Method::from_bytes(text(&file["method"]).as_bytes())
                    .expect("a method"),
                body: text(&file["body"]),
            }
        })
        .collect();
    recorded.sort_by(|one, other| one.case.cmp(&other.case));
    assert_eq!(recorded.len(), 27, "every recording is there");
    recorded
}

/// Computes Grafana's signature: an HMAC over the time, a colon and the body.
fn signature(time: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length will do");
    mac.update(format!("{time}:{body}").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn send(url: &str, request: &Recorded, time: u64, signature: &str) -> (u16, Value) {
    let time = time.to_string();
    let headers =
        [("content-type", "application/json"), (TIMESTAMP, &*time), (SIGNATURE, signature)];
    let reply = http::try_send(request.method.clone(), url, &headers, &request.body)
        .unwrap_or_else(|error| panic!("{}: {error}", request.case));
    (reply.status, serde_json::from_str(&reply.body).unwrap_or_default())
}

#[test]
#[ignore = "needs the orchestrator's binary: just stack-live"]
fn every_new_alert_in_recorded_requests_of_grafana_is_delivered_once() {
    let chat = Chat::start();
    let backends = Receiver::counting();
    let orchestrator = Orchestrator::start(
        &backends.endpoint(),
        Way::Pushed,
        ports::free(),
        &[
            ("HUB_WEBHOOK_HMAC_SECRET", SECRET),
            ("SLACK_WEBHOOK_URL", &chat.url()),
            ("HUB_NOTIFY_ALLOW_HOST", &chat.host()),
            ("HUB_NOTIFY_ALLOW_PRIVATE", "true"),
        ],
    );
    let api = Api::new(&orchestrator.url);
    let url = format!("{}/api/webhooks/grafana", orchestrator.url);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();

    let mut runs = BTreeSet::new();
    let mut names = BTreeSet::new();
    // One second apart, because two requests have the same body and a signature is accepted once.
    for (request, time) in recorded().iter().zip(now - 60..) {
        assert_eq!(
            send(&url, request, time, &"0".repeat(64)).0,
            401,
            "{}: wrong signature",
            request.case
        );
        let fresh = signature(&time.to_string(), &request.body);
        let (status, answer) = send(&url, request, time, &fresh);
        assert_eq!(status, 200, "{}: {answer}", request.case);
        let started = answer["workflowRuns"].as_array().expect("a list");
        let alerts: Value = serde_json::from_str(&request.body).expect("JSON");
        for (run, alert) in started.iter().zip(alerts["alerts"].as_array().into_iter().flatten()) {
            if run["deduplicated"] == false && run["id"].is_string() {
                runs.insert(text(&run["id"]));
                names.insert((text(&alert["labels"]["alertname"]), alert["status"] == "resolved"));
            }
        }
    }
    assert!(runs.len() > 15, "{} runs", runs.len());

    poll::until(START, || {
        api.by_status(&["alert-notification"]).get("SUCCESS").copied() == Some(count(runs.len()))
    });
    assert_eq!(chat.delivered(), runs.len(), "each run delivers once");
    assert_eq!(
        api.runs("alert-notification").iter().map(|run| text(&run["id"])).collect::<BTreeSet<_>>(),
        runs,
        "no other run was started"
    );
    for (name, resolved) in names {
        // Grafana's two internal alerts have the name of the rule in another label.
        if !name.starts_with("Datasource") {
            let word = if resolved { "Resolved" } else { "Alert" };
            assert!(chat.has(&[&format!("{word}: {name}")]), "{word}: {name} was not delivered");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen")]
fn count(runs: usize) -> f64 {
    runs as f64
}
