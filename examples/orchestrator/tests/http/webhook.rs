//! Grafana's recorded requests, and modified ones, against a real server.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orchestrator::security::Secret;
use orchestrator::webhook::auth::{SIGNATURE, TIMESTAMP, sign};
use orchestrator::webhook::incident::{AlertState, incidents};
use orchestrator::webhook::payload::Payload;
use serde_json::{Value, json};

use crate::recorded::{self, Recorded};
use crate::server::Server;

const GUARDED: &[(&str, &str)] = &[
    (
        "HUB_WEBHOOK_TOKEN",
        "test-token-not-a-secret,s3cret-bearer-token,token-from-file,test-password-not-a-secret",
    ),
    ("HUB_WEBHOOK_HMAC_SECRET", "test-hmac-key-not-a-secret,hmac-secret-key"),
];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The recorded credentials. A signature over a time stamp is made again for the current time.
fn credentials(recorded: &Recorded) -> Vec<(&'static str, String)> {
    let mut sent = Vec::new();
    if let Some(authorization) = recorded.header("authorization") {
        sent.push(("authorization", authorization.to_owned()));
    }
    let Some(signature) = recorded.header(SIGNATURE) else { return sent };
    match recorded.header(TIMESTAMP) {
        None => sent.push((SIGNATURE, signature.to_owned())),
        Some(_) => {
            sent.extend(signed(recorded.hmac_secret.as_deref().unwrap(), now(), &recorded.body))
        }
    }
    sent
}

fn signed(key: &str, time: u64, body: &str) -> Vec<(&'static str, String)> {
    let time = time.to_string();
    let signature = sign(&Secret::from(key), Some(time.as_bytes()), body.as_bytes());
    vec![(TIMESTAMP, time), (SIGNATURE, signature)]
}

fn pairs<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// One firing or resolved alert.
fn alert(status: &str, fingerprint: &str, labels: &Value) -> Value {
    json!({ "title": "[FIRING:1] Test", "status": status, "alerts": [
        { "status": status, "fingerprint": fingerprint, "labels": labels, "annotations": { "summary": "s" } },
    ]})
}

pub(crate) fn firing(fingerprint: &str) -> Vec<u8> {
    alert("firing", fingerprint, &json!({ "alertname": "Test" })).to_string().into_bytes()
}

#[tokio::test]
async fn every_recorded_request_starts_a_run_for_each_new_alert() {
    let (guarded, open) = (Server::start(GUARDED).await, Server::start(&[]).await);
    let mut known = [BTreeSet::new(), BTreeSet::new()];
    for recorded in recorded::all() {
        let headers = credentials(&recorded);
        let which = usize::from(headers.is_empty());
        let server = [&guarded, &open][which];
        let (status, response) =
            server.webhook(&recorded.method, &pairs(&headers), recorded.body.clone()).await;
        assert_eq!(status, 200, "{}: {response}", recorded.case);
        let expected = incidents(&Payload::parse(recorded.body.as_bytes()).unwrap()).unwrap();
        let runs = response["workflowRuns"].as_array().unwrap();
        assert_eq!(runs.len(), expected.len(), "{}", recorded.case);
        for (run, incident) in runs.iter().zip(expected) {
            let news = match incident.state {
                AlertState::Firing => known[which].insert(incident.fingerprint.clone()),
                AlertState::Resolved => known[which].remove(&incident.fingerprint),
            };
            assert_eq!(run["deduplicated"], !news, "{}: {run}", recorded.case);
            assert_eq!(run["fingerprint"], incident.fingerprint);
            if news {
                let ended = server.ended(run["id"].as_str().unwrap()).await;
                assert_eq!(
                    (&ended["status"], &ended["trigger"]),
                    (&json!("SUCCESS"), &json!("grafana_webhook"))
                );
                assert_eq!(
                    ended["contextJson"],
                    Value::from(incident.context),
                    "{}",
                    recorded.case
                );
            }
        }
    }
    // The protected server rejects requests without a credential.
    assert_eq!(guarded.webhook("POST", &[], firing("x")).await.0, 401);
}

#[tokio::test]
async fn the_delivery_is_in_the_run_and_the_alert_in_the_log() {
    let server = Server::start(&[]).await;
    let recorded = recorded::all()
        .into_iter()
        .find(|one| one.case == "server-firing-recommended-config")
        .unwrap();
    let (status, response) = server.webhook("POST", &[], recorded.body).await;
    assert_eq!(status, 200);
    let id = response["workflowRunId"].as_str().unwrap();
    assert_eq!(response["workflowRuns"][0]["id"], id);
    server.ended(id).await;
    let runs = server.runs("alert-notification").await;
    let node = &runs[0]["nodes"][0];
    assert_eq!(
        (&node["agent"], &node["action"]),
        (&json!("alert-notifier"), &json!("notify")),
        "{node}"
    );
    let message = node["output"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "🚨 Alert: WorkflowFailureRate\n\nWorkflowFailureRate of wf-invoice: 56.0\nSee the runbook"
        ),
        "{message}"
    );
    assert!(
        message.contains("\n\nalertname=WorkflowFailureRate, grafana_folder=CommandCenter, severity=critical, team=platform, workflow_id=wf-invoice\n\nDashboard: http://"),
        "{message}"
    );
    assert!(
        message.contains("\nRunbook: http://localhost/runbooks/WorkflowFailureRate.md\nSilence: http://localhost:13001/alerting/silence/new?alertmanager=grafana&matcher="),
        "{message}"
    );
    assert_eq!(node["output"]["channel"], "critical");
    assert_eq!(node["output"]["deliveries"], json!([{ "destination": "console" }]));
    let line = "[Webhook] Received Grafana alert: [FIRING:1] WorkflowFailureRate critical (CommandCenter platform wf-invoice)";
    server.process.line(Duration::from_secs(10), line);
}

#[tokio::test]
async fn an_incident_starts_a_run_when_it_opens_and_when_it_is_resolved_only() {
    let server = Server::start(&[]).await;
    let labels = json!({ "alertname": "Test" });
    let mut story = Vec::new();
    for (status, fingerprint) in [
        ("resolved", "a"), // never open here
        ("firing", "a"),
        ("firing", "a"), // sent again
        ("firing", "b"),
        ("resolved", "a"),
        ("resolved", "a"), // for 15 minutes
        ("firing", "a"),   // a new incident
    ] {
        let (code, response) =
            server.webhook("POST", &[], alert(status, fingerprint, &labels).to_string()).await;
        assert_eq!(code, 200, "{response}");
        let run = &response["workflowRuns"][0];
        story.push(match (run["deduplicated"].as_bool(), run["id"].as_str()) {
            (Some(false), Some(_)) => format!("{fingerprint} {status}: run"),
            (Some(true), Some(_)) => format!("{fingerprint} {status}: known"),
            _ => format!("{fingerprint} {status}: nothing ({})", run["reason"].as_str().unwrap()),
        });
    }
    assert_eq!(
        story,
        [
            "a resolved: nothing (no_open_incident)",
            "a firing: run",
            "a firing: known",
            "b firing: run",
            "a resolved: run",
            "a resolved: nothing (no_open_incident)",
            "a firing: run",
        ]
    );
    assert_eq!(server.runs("alert-notification").await.len(), 4);
}

#[tokio::test]
async fn a_body_with_firing_and_resolved_alerts_is_handled_per_alert() {
    let server = Server::start(&[]).await;
    let mixed = json!({ "status": "firing", "alerts": [
        { "status": "firing", "fingerprint": "a", "labels": { "alertname": "A" } },
        { "status": "firing", "fingerprint": "a", "labels": { "alertname": "A" } },
        { "status": "resolved", "fingerprint": "a", "labels": { "alertname": "A" } },
        { "status": "resolved", "fingerprint": "z", "labels": { "alertname": "Z" } },
    ]});
    let (_, response) = server.webhook("POST", &[], mixed.to_string()).await;
    let started: Vec<_> = response["workflowRuns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["deduplicated"].clone())
        .collect();
    assert_eq!(started, [false, true, false, true], "{response}");
    let mut contexts = Vec::new();
    for run in server.runs("alert-notification").await {
        let ended = server.ended(run["id"].as_str().unwrap()).await;
        contexts.push((
            ended["contextJson"]["state"].clone(),
            ended["contextJson"]["severity"].clone(),
        ));
    }
    contexts.sort_by_key(|(state, _)| state.to_string());
    assert_eq!(
        contexts,
        [(json!("firing"), json!("critical")), (json!("resolved"), json!("info"))]
    );
}

#[tokio::test]
async fn an_alert_about_the_notification_itself_starts_no_run() {
    let server = Server::start(&[]).await;
    for labels in [
        json!({ "alertname": "WorkflowFailureRate", "workflow_id": "alert-notification" }),
        json!({ "alertname": "AgentErrors", "agent_id": "alert-notifier" }),
    ] {
        let (status, response) =
            server.webhook("POST", &[], alert("firing", "loop", &labels).to_string()).await;
        assert_eq!((status, &response["workflowRunId"]), (200, &Value::Null), "{response}");
        assert_eq!(response["workflowRuns"][0]["reason"], "feedback_loop");
    }
    assert_eq!(server.runs("alert-notification").await.len(), 0);
    let labels = json!({ "alertname": "DiskFull", "service": "alert-notification" });
    let (_, response) =
        server.webhook("POST", &[], alert("firing", "x", &labels).to_string()).await;
    assert_eq!(response["workflowRuns"][0]["status"], "PENDING", "{response}");
}

#[tokio::test]
async fn a_server_can_require_that_signatures_have_a_timestamp() {
    let server = Server::start(&[
        ("HUB_WEBHOOK_HMAC_SECRET", "k"),
        ("HUB_WEBHOOK_REQUIRE_TIMESTAMP", "true"),
        ("HUB_WEBHOOK_TOLERANCE", "60s"),
    ])
    .await;
    let body = String::from_utf8(firing("a")).unwrap();
    let timeless = sign(&Secret::from("k"), None, body.as_bytes());
    let (status, response) = server.webhook("POST", &[(SIGNATURE, &timeless)], body.clone()).await;
    assert_eq!((status, &response["code"]), (401, &json!("timestamp_required")));
    for (age, status) in [(90, 401), (0, 200)] {
        let headers = signed("k", now() - age, &body);
        assert_eq!(server.webhook("POST", &pairs(&headers), body.clone()).await.0, status, "{age}");
    }
}

#[tokio::test]
async fn forged_stale_and_replayed_requests_are_rejected_and_start_no_run() {
    let server = Server::start(GUARDED).await;
    let body = String::from_utf8(firing("a")).unwrap();
    let send = async |headers: Vec<(&'static str, String)>, body: &str| {
        let (status, response) = server.webhook("POST", &pairs(&headers), body).await;
        (status, response["code"].as_str().unwrap_or("ok").to_owned())
    };
    let refused = |code: &str| (401, code.to_owned());
    assert_eq!(send(vec![], &body).await, refused("unauthorized"));
    assert_eq!(
        send(signed("another key", now(), &body), &body).await,
        refused("invalid_signature")
    );
    assert_eq!(
        send(signed("hmac-secret-key", now(), &body), &body.replace('a', "b")).await,
        refused("invalid_signature")
    );
    assert_eq!(
        send(signed("hmac-secret-key", now() - 301, &body), &body).await,
        refused("stale_timestamp")
    );
    assert_eq!(
        send(signed("hmac-secret-key", now() + 330, &body), &body).await,
        refused("stale_timestamp")
    );
    let mut moved = signed("hmac-secret-key", now() - 4_000, &body);
    moved[0].1 = now().to_string();
    assert_eq!(send(moved, &body).await, refused("invalid_signature"), "the time is signed too");
    assert_eq!(server.runs("alert-notification").await.len(), 0);

    let once = signed("hmac-secret-key", now(), &body);
    assert_eq!(send(once.clone(), &body).await, (200, "ok".to_owned()));
    assert_eq!(send(once.clone(), &body).await, refused("replayed"));
    let upper = once.iter().map(|(name, value)| (*name, value.to_uppercase())).collect();
    assert_eq!(
        send(upper, &body).await,
        refused("replayed"),
        "another spelling is the same signature"
    );
    let mut with_token = once;
    with_token.push(("authorization", "Bearer token-from-file".into()));
    assert_eq!(
        send(with_token, &body).await,
        refused("replayed"),
        "a token beside it makes it no fresher"
    );
    assert_eq!(server.runs("alert-notification").await.len(), 1);
}

#[tokio::test]
async fn the_legacy_payload_and_invalid_bodies_are_400() {
    let server = Server::start(&[]).await;
    let legacy = json!({ "title": "[Alerting] x", "ruleId": 1, "state": "alerting", "evalMatches": [], "message": "m" });
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    for body in [
        legacy.to_string(),
        String::new(),
        "not json".into(),
        "null".into(),
        r#"{"alerts":[{"status":"firing"}],"alerts":[]}"#.into(),
        format!("{open}{close}"),
        format!(r#"{{"alerts":[{{"status":"firing","labels":{{"a":{open}{close}}}}}]}}"#),
        "{\"a\":".repeat(10_000),
    ] {
        let (status, response) = server.webhook("POST", &[], body.clone()).await;
        assert_eq!(
            (status, &response["code"]),
            (400, &json!("not_unified_alerting")),
            "{:.80}",
            body
        );
    }
    let (status, _) = server.webhook("POST", &[], b"\xff\xfe".as_slice()).await;
    assert_eq!(status, 400);
    assert_eq!(server.webhook("GET", &[], "").await.0, 405);
    assert_eq!(server.runs("alert-notification").await.len(), 0);
}

#[tokio::test]
async fn a_large_body_is_413_and_the_sender_receives_the_response() {
    let server = Server::start(&[]).await;
    let padded = |size: usize| {
        let mut body = firing("big");
        body.resize(size, b' ');
        body
    };
    let alerts =
        |count: usize| json!({ "alerts": vec![json!({ "status": "firing" }); count] }).to_string();
    let code = async |body: Vec<u8>| {
        let (status, response) = server.webhook("POST", &[], body).await;
        (status, response["code"].as_str().unwrap_or("ok").to_owned())
    };
    assert_eq!(code(padded(256 * 1024)).await, (200, "ok".to_owned()));
    assert_eq!(code(padded(256 * 1024 + 1)).await, (413, "payload_too_large".to_owned()));
    assert_eq!(code(padded(10 * 1024 * 1024)).await, (413, "payload_too_large".to_owned()));
    assert_eq!(code(alerts(101).into_bytes()).await, (413, "too_many_alerts".to_owned()));
    assert_eq!(code(alerts(10_000).into_bytes()).await, (413, "too_many_alerts".to_owned()));
    assert_eq!(
        server.runs("alert-notification").await.len(),
        1,
        "one, of the body that was not too large"
    );
}
