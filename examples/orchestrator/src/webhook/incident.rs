//! Turns one alert of a group into what a run is started with.
//!
//! Each alert is judged by its own state: a group says `firing` while a single one of its alerts fires, although the
//! others are resolved. The context's keys are always all there, empty when the alert does not say: a template that is
//! strict about undefined names must not fail because an alert has no dashboard.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::payload::{Alert, BadPayload, Payload, Texts};

/// Ids that mark an alert about the notification itself; a run for it would be the next alert.
const OWN_IDS: [&str; 2] = ["alert-notification", "alert-notifier"];
/// Longer fingerprints than this (Grafana's have 16 characters) are hashed.
const LONGEST_FINGERPRINT: usize = 128;

/// Whether an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It fires.
    Firing,
    /// It fires no longer.
    Resolved,
}

impl State {
    /// Grafana's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "firing" => Some(Self::Firing),
            "resolved" => Some(Self::Resolved),
            _ => None,
        }
    }
}

/// One alert, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// What the incident is known by while it fires.
    pub fingerprint: String,
    /// Whether it fires.
    pub state: State,
    /// The alert is about the alert notification itself.
    pub feedback_loop: bool,
    /// The run's context: severity, alert_name, message, state, dashboard_url, timestamp, labels.
    pub context: Map<String, Value>,
}

/// Every alert of a body, in its order.
///
/// # Errors
/// [`BadPayload::Status`] when an alert is neither firing nor resolved.
pub fn incidents(payload: &Payload) -> Result<Vec<Incident>, BadPayload> {
    payload
        .alerts
        .iter()
        .enumerate()
        .map(|(index, alert)| incident(payload, index, alert))
        .collect()
}

fn incident(payload: &Payload, index: usize, alert: &Alert) -> Result<Incident, BadPayload> {
    let status = match alert.status.trimmed() {
        "" => payload.status.trimmed(),
        own => own,
    };
    let state = State::read(status)
        .ok_or_else(|| BadPayload::Status { index, status: status.chars().take(40).collect() })?;
    Ok(Incident {
        fingerprint: fingerprint(alert),
        state,
        feedback_loop: alert.labels.0.values().any(|value| names_itself(value)),
        context: context(alert, state),
    })
}

/// Whether a label names one of [`OWN_IDS`], alone or among other words: `alert-notification/notify`, a list of ids, a
/// rule's title. `alert-notification-2` is somebody else.
fn names_itself(value: &str) -> bool {
    let joined = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    value
        .split(|c: char| !joined(c))
        .any(|word| OWN_IDS.iter().any(|own| word.eq_ignore_ascii_case(own)))
}

fn context(alert: &Alert, state: State) -> Map<String, Value> {
    let labels: Map<String, Value> = alert
        .labels
        .0
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect();
    let mut context = Map::new();
    context.insert("severity".into(), severity(&alert.labels, state).into());
    context.insert("alert_name".into(), alert_name(&alert.labels).into());
    context.insert("message".into(), message(alert).into());
    context.insert("state".into(), state.as_str().into());
    context.insert("dashboard_url".into(), alert.dashboard_url.trimmed().into());
    context.insert("timestamp".into(), timestamp(alert, state).into());
    context.insert("labels".into(), labels.into());
    context
}

/// A resolved alert is no longer as bad as its rule says, but its readers sit where the rule sent it: the label wins.
fn severity(labels: &Texts, state: State) -> &str {
    match (labels.get("severity"), state) {
        ("", State::Firing) => "critical",
        ("", State::Resolved) => "info",
        (given, _) => given,
    }
}

/// Alerts about a query that failed are all called the same; the rule's name stands in another label.
fn alert_name(labels: &Texts) -> &str {
    match (labels.get("alertname"), labels.get("rulename")) {
        ("DatasourceNoData" | "DatasourceError", rule) if !rule.is_empty() => rule,
        (name, _) => name,
    }
}

fn message(alert: &Alert) -> String {
    let mut lines: Vec<String> = Vec::new();
    for key in ["summary", "description"] {
        let line = alert.annotations.get(key);
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    // Without the reason, a rule whose query failed reads like the breach of its threshold.
    let reason = match alert.labels.get("alertname") {
        kind @ ("DatasourceNoData" | "DatasourceError") => match alert.annotations.get("Error") {
            "" => kind.to_owned(),
            error => format!("{kind}: {error}"),
        },
        _ => alert.annotations.get("grafana_state_reason").to_owned(),
    };
    if !reason.is_empty() {
        lines.push(format!("Reason: {reason}"));
    }
    lines.join("\n")
}

/// When the state began. Grafana writes the year 1 for an end that has not come.
fn timestamp(alert: &Alert, state: State) -> &str {
    let ended = alert.ends_at.trimmed();
    match state {
        State::Resolved if !ended.is_empty() && !ended.starts_with("0001-") => ended,
        _ => alert.starts_at.trimmed(),
    }
}

/// Grafana's own hash of the labels, or ours where a payload template left it out.
fn fingerprint(alert: &Alert) -> String {
    let given = alert.fingerprint.trimmed();
    if !given.is_empty() && given.len() <= LONGEST_FINGERPRINT {
        return given.to_owned();
    }
    let mut hash = Sha256::new();
    hash.update(given.as_bytes());
    for (key, value) in &alert.labels.0 {
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key.as_bytes());
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value.as_bytes());
    }
    hex::encode(&hash.finalize()[..8])
}
