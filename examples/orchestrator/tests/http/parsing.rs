//! Parsing of webhook bodies: the incidents, and no panic for any body.

use std::fmt::Write as _;

use orchestrator::webhook::incident::{AlertState, Incident, incidents};
use orchestrator::webhook::payload::{BadPayload, MAX_ALERTS, Payload};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded;

const KEYS: [&str; 9] = [
    "alert_name",
    "dashboard_url",
    "labels",
    "message",
    "runbook_url",
    "severity",
    "silence_url",
    "state",
    "timestamp",
];

fn read(body: &[u8]) -> Result<Vec<Incident>, BadPayload> {
    incidents(&Payload::parse(body)?)
}

fn read_json(body: &Value) -> Result<Vec<Incident>, BadPayload> {
    read(&serde_json::to_vec(body).unwrap())
}

#[test]
fn every_recorded_body_is_parsed_to_its_incidents() {
    let mut picture = String::new();
    for recorded in recorded::all() {
        writeln!(picture, "{}", recorded.case).unwrap();
        for incident in read(recorded.body.as_bytes()).unwrap() {
            let context = Value::from(incident.context);
            let text = |key: &str| context[key].as_str().unwrap().to_owned();
            writeln!(
                picture,
                "  {} {} {} [{}] {} dashboard={} labels={}\n    {}",
                incident.fingerprint,
                text("state"),
                text("timestamp"),
                text("severity"),
                text("alert_name"),
                !text("dashboard_url").is_empty(),
                context["labels"].as_object().unwrap().len(),
                text("message").replace('\n', "\n    "),
            )
            .unwrap();
        }
    }
    let expected = include_str!("../data/grafana/incidents.txt");
    assert!(picture == expected, "the picture changed; it is now:\n{picture}");
}

#[test]
fn each_alert_has_its_own_state() {
    let body = json!({ "status": "firing", "state": "alerting", "alerts": [
        { "status": "resolved", "fingerprint": "a", "labels": { "alertname": "A" } },
        { "status": "firing", "fingerprint": "b", "labels": { "alertname": "B" } },
        { "fingerprint": "c", "labels": { "alertname": "C" } },
    ]});
    let states: Vec<_> =
        read_json(&body).unwrap().into_iter().map(|incident| incident.state).collect();
    assert_eq!(
        states,
        [AlertState::Resolved, AlertState::Firing, AlertState::Firing],
        "without a state of its own: the group's"
    );
}

#[test]
fn missing_optional_fields_are_empty_strings_and_no_key_is_missing() {
    let body = json!({ "status": "firing", "alerts": [
        { "status": "firing" },
        { "status": "resolved", "labels": null, "annotations": null, "dashboardURL": null, "startsAt": null },
    ]});
    for incident in read_json(&body).unwrap() {
        let context = Value::from(incident.context);
        let firing = incident.state == AlertState::Firing;
        assert_eq!(context["severity"], if firing { "critical" } else { "info" });
        for key in
            ["alert_name", "message", "dashboard_url", "runbook_url", "silence_url", "timestamp"]
        {
            assert_eq!(context[key], "", "{key}");
        }
        assert_eq!(context["labels"], json!({}));
        assert_eq!(incident.fingerprint.len(), 16, "made from the labels");
    }
}

#[test]
fn without_a_silence_page_the_link_leads_to_the_form_of_alertmanager_with_all_labels() {
    let silence_url = |external: Value, alert: Value| {
        let body = json!({ "status": "firing", "externalURL": external, "alerts": [alert] });
        let context = Value::from(read_json(&body).unwrap().remove(0).context);
        context["silence_url"].as_str().unwrap().to_owned()
    };
    let labels = json!({ "alertname": "A b+c", "path": "/a?b=\"c\\d\"" });
    let alert = json!({ "labels": labels });
    let form = "/#/silences/new?filter=%7Balertname%3D%22A%20b%2Bc%22%2C\
                path%3D%22%2Fa%3Fb%3D%5C%22c%5C%5Cd%5C%22%22%7D";
    for root in ["http://localhost:9093", "http://localhost:9093/", "https://x.example/alerts"] {
        let expected = format!("{}{form}", root.trim_end_matches('/'));
        assert_eq!(silence_url(json!(root), alert.clone()), expected);
    }
    assert_eq!(silence_url(Value::Null, alert.clone()), "", "no address");
    let of_grafana = json!({ "labels": labels, "silenceURL": "http://grafana/alerting/silence" });
    assert_eq!(
        silence_url(json!("http://grafana/"), of_grafana),
        "http://grafana/alerting/silence"
    );
}

#[test]
fn an_alert_about_the_notification_itself_is_marked() {
    for (labels, marked) in [
        (json!({ "workflow_id": "alert-notification" }), true),
        (json!({ "agent_id": "alert-notifier" }), true),
        // A real alert that mentions the notification must be delivered.
        (json!({ "team": "alert-notification" }), false),
        (json!({ "alertname": "Failures of alert-notification" }), false),
        (json!({ "workflows": "scan-and-notify,alert-notification" }), false),
        (json!({ "agent_id": "alert-notification" }), false),
        (json!({ "workflow_id": "alert-notification, scan-and-notify" }), false),
        (json!({ "workflow_id": "Alert-Notification" }), false),
        (json!({ "workflow_id": "my-alert-notification" }), false),
        (json!({ "workflow_id": "alert-notifications" }), false),
        (json!({ "alert-notification": "a name is a value, not a key" }), false),
        (json!({ "workflow_id": "alert-notification-2" }), false),
        (json!({ "agent_id": "notifier" }), false),
    ] {
        let body = json!({ "alerts": [{ "status": "firing", "labels": labels }] });
        assert_eq!(read_json(&body).unwrap()[0].feedback_loop, marked, "{body}");
    }
}

#[test]
fn other_payloads_are_rejected_with_the_reason() {
    let legacy = json!({
        "title": "[Alerting] Failure rate", "ruleId": 1, "ruleName": "Failure rate", "state": "alerting",
        "evalMatches": [{ "value": 100, "metric": "High value", "tags": null }], "message": "m", "orgId": 0,
    });
    for (body, expected) in [
        (legacy, "missing field `alerts`"),
        (json!({ "alerts": {} }), "expected a sequence"),
        (json!({ "alerts": ["firing"] }), "unified-alerting"),
        (json!({ "alerts": [{ "status": "pending" }] }), "alerts[0].status is `pending`"),
        (json!({ "alerts": [{}] }), "alerts[0].status is ``"),
        (json!([]), "unified-alerting"),
        (json!("firing"), "unified-alerting"),
    ] {
        let error = read_json(&body).unwrap_err().to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
}

#[test]
fn alerts_past_the_limit_are_counted_and_rejected() {
    let alerts = |count| json!({ "alerts": vec![json!({ "status": "firing" }); count] });
    assert_eq!(read_json(&alerts(MAX_ALERTS)).unwrap().len(), MAX_ALERTS);
    assert!(matches!(read_json(&alerts(10_000)), Err(BadPayload::TooMany(10_000))));
}

#[test]
fn deep_nesting_is_rejected_or_skipped_without_a_stack_overflow() {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    for body in [
        format!("{open}{close}"),
        format!(r#"{{"alerts":{open}{close}}}"#),
        format!(r#"{{"alerts":[{{"status":"firing","labels":{open}{close}}}]}}"#),
        "{\"alerts\":".repeat(10_000),
        open.clone(),
    ] {
        assert!(read(body.as_bytes()).is_err());
    }
    let unknown = format!(
        r#"{{"alerts":[{{"status":"firing","new":{open}{close}}}],"newer":{open}{close}}}"#
    );
    assert_eq!(
        read(unknown.as_bytes()).unwrap().len(),
        1,
        "unknown fields are skipped, however deep"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["firing", "resolved", "DatasourceError", "0001-01-01T00:00:00Z"])
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "alerts",
            "status",
            "labels",
            "annotations",
            "severity",
            "alertname",
            "rulename",
            "fingerprint",
            "endsAt",
            "startsAt",
            "dashboardURL",
            "title",
            "truncatedAlerts",
            "summary",
            "Error",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    })]

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_json_makes_the_parser_panic_and_contexts_are_complete(
        alert in any_json(), title in any_json(),
    ) {
        for body in [json!({ "alerts": [alert.clone()], "title": title.clone() }), json!({ "alerts": alert }), title] {
            for incident in read_json(&body).unwrap_or_default() {
                let mut keys: Vec<_> = incident.context.keys().map(String::as_str).collect();
                // The order depends on a feature of serde_json that another package enables.
                keys.sort_unstable();
                prop_assert_eq!(&keys, &KEYS);
                prop_assert!(!incident.fingerprint.is_empty());
                prop_assert_eq!(incident.context["state"].as_str(), Some(incident.state.as_str()));
            }
        }
    }

    #[test]
    fn a_damaged_body_does_not_make_the_parser_panic(
        which in 0_usize..27, place in any::<prop::sample::Index>(),
        byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut body = recorded::all()[which].body.clone().into_bytes();
        let place = place.index(body.len());
        body[place] = byte;
        if cut {
            body.truncate(place);
        }
        let _ = read(&body);
    }

    #[test]
    fn the_same_labels_have_the_same_fingerprint_in_any_order(
        labels in prop::collection::btree_map("[a-z_]{1,8}", ".{0,8}", 1..6),
    ) {
        let written = |pairs: Vec<(&String, &String)>| {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{}:{}", json!(k), json!(v))).collect();
            format!(r#"{{"alerts":[{{"status":"firing","labels":{{{}}}}}]}}"#, pairs.join(","))
        };
        let forward = read(written(labels.iter().collect()).as_bytes()).unwrap();
        let backward = read(written(labels.iter().rev().collect()).as_bytes()).unwrap();
        prop_assert_eq!(forward, backward);
    }
}
