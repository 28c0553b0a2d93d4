//! Parses the body of Grafana's unified alerting, and of Alertmanager, which has the same form.
//!
//! Fields vary with Grafana's versions, optional ones are empty, null or missing, and custom
//! payload templates omit some. All of these are accepted. A body without `alerts` (the legacy
//! payload of Grafana 8, or no alert at all) is rejected, because a default would be an alert
//! without content.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

/// Maximum number of alerts in one body. Grafana's `maxAlerts` limits a group.
pub const MAX_ALERTS: usize = 100;

/// One notification group of unified alerting.
#[derive(Debug, Clone, Deserialize)]
pub struct Payload {
    /// Title of the group, `[FIRING:2] …` unless the contact point sets another one.
    #[serde(default)]
    pub title: Text,
    /// `firing` if at least one alert of the group fires. Not the state of each alert.
    #[serde(default)]
    pub status: Text,
    /// Number of alerts that the contact point's `maxAlerts` removed.
    #[serde(default, rename = "truncatedAlerts")]
    pub truncated: Text,
    /// Root URL of the sender, Grafana or Alertmanager. Can be empty.
    #[serde(default, rename = "externalURL")]
    pub external_url: Text,
    /// The alerts, both firing and resolved.
    pub alerts: Vec<Alert>,
}

/// One alert of a group.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Alert {
    /// `firing` or `resolved`. Defaults to the group's status.
    #[serde(default)]
    pub status: Text,
    /// Labels of the series and of the rule.
    #[serde(default)]
    pub labels: Texts,
    /// Annotations of the rule.
    #[serde(default)]
    pub annotations: Texts,
    /// Start of the alert (RFC 3339). Changes when Grafana repeats the alert.
    #[serde(default, rename = "startsAt")]
    pub starts_at: Text,
    /// End of the alert, the year 1 while it fires.
    #[serde(default, rename = "endsAt")]
    pub ends_at: Text,
    /// Hash of the labels, which identifies the incident.
    #[serde(default)]
    pub fingerprint: Text,
    /// Page that silences the alert. Can be empty; Alertmanager omits it.
    #[serde(default, rename = "silenceURL")]
    pub silence_url: Text,
    /// Dashboard of the rule. Can be empty.
    #[serde(default, rename = "dashboardURL")]
    pub dashboard_url: Text,
}

/// A body that is not a unified-alerting payload.
#[derive(Debug, thiserror::Error)]
pub enum BadPayload {
    /// Not JSON, or JSON of another type.
    #[error("the body is not a unified-alerting payload: {0}; expected an object with `alerts`")]
    Shape(#[from] serde_json::Error),
    /// An alert with an unknown status.
    #[error("alerts[{index}].status is `{status}`; expected `firing` or `resolved`")]
    Status {
        /// Index of the alert.
        index: usize,
        /// The status, truncated.
        status: String,
    },
    /// Too many alerts.
    #[error(
        "the body has {0} alerts, the maximum is {MAX_ALERTS}; set the contact point's `maxAlerts` to {MAX_ALERTS}"
    )]
    TooMany(usize),
}

impl Payload {
    /// Parses a body.
    ///
    /// # Errors
    /// [`BadPayload`]: not JSON, not unified alerting, or too many alerts.
    pub fn parse(body: &[u8]) -> Result<Self, BadPayload> {
        let payload: Self = serde_json::from_slice(body)?;
        // The size of the body is limited by the route.
        match payload.alerts.len() {
            too_many if too_many > MAX_ALERTS => Err(BadPayload::TooMany(too_many)),
            _ => Ok(payload),
        }
    }
}

/// A string that can also be null, a number or a boolean in the payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// The string, trimmed.
    pub fn trimmed(&self) -> &str {
        self.0.trim()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self(text)),
            value @ (Value::Bool(_) | Value::Number(_)) => Ok(Self(value.to_string())),
            Value::Array(_) | Value::Object(_) => {
                Err(D::Error::custom("expected a string, found an array or an object"))
            }
        }
    }
}

/// Labels or annotations: a map of strings. Can be null in the payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub BTreeMap<String, String>);

impl Texts {
    /// The trimmed value of a key, or an empty string.
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", |value| value.trim())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts: Option<BTreeMap<String, Text>> = Deserialize::deserialize(deserializer)?;
        Ok(Self(
            texts.unwrap_or_default().into_iter().map(|(key, Text(value))| (key, value)).collect(),
        ))
    }
}
