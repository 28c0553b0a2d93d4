//! Reads the body that Grafana's unified alerting sends, tolerant of what varies and strict about what it is.
//!
//! Fields come and go with Grafana's versions, optional ones are empty, null or missing, and custom payload templates
//! leave some out: all of that is read. A body without `alerts` (the legacy payload of Grafana 8, or something else
//! altogether) is refused with the reason, because a default for it would be an alert that says nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

/// How many alerts one body may carry; Grafana's `maxAlerts` keeps a group below it.
pub const MAX_ALERTS: usize = 100;

/// A body of unified alerting: one notification group.
#[derive(Debug, Clone, Deserialize)]
pub struct Payload {
    /// The group's heading, `[FIRING:2] …` unless the contact point has a title of its own.
    #[serde(default)]
    pub title: Text,
    /// `firing` as soon as one alert of the group fires: never the state of a single alert.
    #[serde(default)]
    pub status: Text,
    /// How many alerts the contact point's `maxAlerts` cut off.
    #[serde(default, rename = "truncatedAlerts")]
    pub truncated: Text,
    /// The alerts, firing and resolved ones mixed.
    pub alerts: Vec<Alert>,
}

/// One alert of a group.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Alert {
    /// `firing` or `resolved`; the group's status where it is missing.
    #[serde(default)]
    pub status: Text,
    /// The labels of the series and of the rule.
    #[serde(default)]
    pub labels: Texts,
    /// What the rule says about the alert.
    #[serde(default)]
    pub annotations: Texts,
    /// When it began to fire (RFC 3339); changes when Grafana sends it again.
    #[serde(default, rename = "startsAt")]
    pub starts_at: Text,
    /// When it was resolved; the year 1 while it fires.
    #[serde(default, rename = "endsAt")]
    pub ends_at: Text,
    /// The hash of the labels: what the incident is known by.
    #[serde(default)]
    pub fingerprint: Text,
    /// The dashboard that the rule names; empty without one.
    #[serde(default, rename = "dashboardURL")]
    pub dashboard_url: Text,
}

/// Why a body is not one of unified alerting.
#[derive(Debug, thiserror::Error)]
pub enum BadPayload {
    /// Not JSON, or not of this shape.
    #[error("the body is not a unified-alerting payload: {0}; expected an object with `alerts`")]
    Shape(#[from] serde_json::Error),
    /// An alert whose state is unknown.
    #[error("alerts[{index}].status is `{status}`; expected `firing` or `resolved`")]
    Status {
        /// The alert's place in the body.
        index: usize,
        /// What stands there, cut to a readable length.
        status: String,
    },
    /// More alerts than one body may carry.
    #[error(
        "the body carries {0} alerts, at most {MAX_ALERTS} are taken; set the contact point's `maxAlerts` to {MAX_ALERTS}"
    )]
    TooMany(usize),
}

impl Payload {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BadPayload`] for what is not JSON, not unified alerting, or too much of it.
    pub fn parse(body: &[u8]) -> Result<Self, BadPayload> {
        let payload: Self = serde_json::from_slice(body)?;
        // The route has bounded the body, and so what its alerts may weigh.
        match payload.alerts.len() {
            too_many if too_many > MAX_ALERTS => Err(BadPayload::TooMany(too_many)),
            _ => Ok(payload),
        }
    }
}

/// A text that may also be null, a number or a truth value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// The text, without the space around it.
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
                Err(D::Error::custom("a list or an object stands where a text should"))
            }
        }
    }
}

/// Labels or annotations: a map of texts that may also be null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub BTreeMap<String, String>);

impl Texts {
    /// The value of a key, without the space around it; empty when it is missing.
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
