//! Prometheus rules: recording rules and alerts.

use crate::stack::expression;
use serde::Serialize;
use std::collections::BTreeMap;

/// A rule in the format of Prometheus' rule files.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alert: Option<String>,
    pub(super) expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(super) hold: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keep_firing_for: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Rule {
    /// Creates a recording rule.
    #[must_use]
    pub fn record(name: impl Into<String>, expression: impl Into<String>) -> Self {
        Self {
            record: Some(name.into()),
            alert: None,
            expr: expression::readable(&expression.into()),
            hold: None,
            keep_firing_for: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Adds labels to the recorded series.
    #[must_use]
    pub fn labelled(mut self, labels: &[(&str, &str)]) -> Self {
        self.labels
            .extend(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self
    }
}
