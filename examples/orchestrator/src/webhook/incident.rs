//! Converts the alerts of a group to incidents, with the context of their runs.
//!
//! Each alert has its own state: a group is `firing` while one of its alerts fires, although others
//! are resolved. The context always has all keys, with empty values for missing fields: templates
//! reject undefined names, and an alert without a dashboard must not fail its run.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::payload::{Alert, BadPayload, Payload, Texts};

/// Labels that mark an alert about the notification itself. A run for such an alert could cause the
/// next alert.
const NOTIFICATION_LABELS: [(&str, &str); 2] =
    [("workflow_id", "alert-notification"), ("agent_id", "alert-notifier")];
/// Maximum length of a fingerprint (Grafana's have 16 characters). Longer ones are hashed.
const MAX_FINGERPRINT: usize = 128;

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// The alert fires.
    Firing,
    /// The alert is resolved.
    Resolved,
}

impl AlertState {
    /// The value in Grafana's payload.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "firing" => Some(Self::Firing),
            "resolved" => Some(Self::Resolved),
            _ => None,
        }
    }
}

/// One normalized alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Identifies the incident while it fires.
    pub fingerprint: String,
    /// State of the alert.
    pub state: AlertState,
    /// The alert is about the alert notification itself.
    pub feedback_loop: bool,
    /// The run's context: severity, alert_name, message, state, dashboard_url, runbook_url,
    /// silence_url, timestamp, labels.
    pub context: Map<String, Value>,
}

/// Converts the alerts of a payload, in order.
///
/// # Errors
/// [`BadPayload::Status`] if an alert is neither firing nor resolved.
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
        status => status,
    };
    let state = AlertState::parse(status)
        .ok_or_else(|| BadPayload::Status { index, status: status.chars().take(40).collect() })?;
    Ok(Incident {
        fingerprint: fingerprint(alert),
        state,
        feedback_loop: NOTIFICATION_LABELS.iter().any(|(label, id)| alert.labels.get(label) == *id),
        context: context(payload, alert, state),
    })
}

fn context(payload: &Payload, alert: &Alert, state: AlertState) -> Map<String, Value> {
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
    context.insert("dashboard_url".into(), panel_url(alert).into());
    context.insert("runbook_url".into(), alert.annotations.get("runbook_url").into());
    context.insert("silence_url".into(), silence_url(payload, alert).into());
    context.insert("timestamp".into(), timestamp(alert, state).into());
    context.insert("labels".into(), labels.into());
    context
}

/// URL of the panel that shows the alert: its annotation, else the dashboard that Grafana adds.
fn panel_url(alert: &Alert) -> &str {
    match alert.annotations.get("panel_url") {
        "" => alert.dashboard_url.trimmed(),
        url => url,
    }
}

/// Page that silences the alert: the one that Grafana adds, else the form of Alertmanager, filled
/// with the labels.
fn silence_url(payload: &Payload, alert: &Alert) -> String {
    match (alert.silence_url.trimmed(), payload.external_url.trimmed().trim_end_matches('/')) {
        ("", "") => String::new(),
        ("", root) => format!("{root}/#/silences/new?filter={}", encoded_matchers(&alert.labels)),
        (url, _) => url.to_owned(),
    }
}

/// The labels as matchers of Alertmanager, `{name="value",…}`, percent-encoded.
fn encoded_matchers(labels: &Texts) -> String {
    let matchers: Vec<String> = labels
        .0
        .iter()
        .map(|(name, value)| {
            let escaped = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            format!("{name}=\"{escaped}\"")
        })
        .collect();
    // `+` is a space in forms only, not in the fragment of a URL.
    form_urlencoded::byte_serialize(format!("{{{}}}", matchers.join(",")).as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// Severity label of the alert. Without one, `critical` while it fires and `info` once it is
/// resolved.
fn severity(labels: &Texts, state: AlertState) -> &str {
    match (labels.get("severity"), state) {
        ("", AlertState::Firing) => "critical",
        ("", AlertState::Resolved) => "info",
        (label, _) => label,
    }
}

/// Name of the alert. Alerts about failed queries share one name; the name of the rule is in
/// another label.
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
    // The reason distinguishes a failed query from an exceeded threshold.
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

/// Start of the current state. Grafana writes the year 1 as the end of an alert that fires.
fn timestamp(alert: &Alert, state: AlertState) -> &str {
    let ended = alert.ends_at.trimmed();
    match state {
        AlertState::Resolved if !ended.is_empty() && !ended.starts_with("0001-") => ended,
        _ => alert.starts_at.trimmed(),
    }
}

/// Grafana's hash of the labels. Computed if a payload template omits it.
fn fingerprint(alert: &Alert) -> String {
    let fingerprint = alert.fingerprint.trimmed();
    if !fingerprint.is_empty() && fingerprint.len() <= MAX_FINGERPRINT {
        return fingerprint.to_owned();
    }
    let mut hash = Sha256::new();
    hash.update(fingerprint.as_bytes());
    for (key, value) in &alert.labels.0 {
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key.as_bytes());
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value.as_bytes());
    }
    hex::encode(&hash.finalize()[..8])
}
