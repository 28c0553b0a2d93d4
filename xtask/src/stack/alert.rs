//! Definition of an alert, from which a Prometheus rule and a Grafana rule are generated.

use crate::stack::expression;
use crate::stack::rule::Rule;
use std::collections::BTreeMap;

/// Urgency of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Requires immediate action.
    Critical,
    /// Requires action within the day.
    Warning,
}

impl Severity {
    /// Returns the value of the label `severity`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// Comparison of the value with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The alert fires above the threshold.
    Above,
    /// The alert fires below the threshold.
    Below,
}

/// An alert.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Name, the same in Prometheus and Grafana.
    pub name: &'static str,
    /// Rule group, the same in Prometheus and Grafana.
    pub group: &'static str,
    /// Urgency.
    pub severity: Severity,
    /// Expression of the value, without a comparison.
    pub query: String,
    /// Comparison of the value with the threshold.
    pub comparison: Comparison,
    /// Threshold. `None` only in a test that removes it.
    pub threshold: Option<f64>,
    /// Duration for which the condition must hold before the alert fires.
    pub hold: &'static str,
    /// Duration for which the alert keeps firing after the condition has ended, to avoid flapping.
    pub keep: Option<&'static str>,
    /// Summary template; `{value}` is the value, `{count}` the value as an integer.
    pub line: &'static str,
    /// Description in one or two sentences.
    pub description: &'static str,
    /// Linked panel: uid of the dashboard and title of the panel.
    pub panel: (&'static str, &'static str),
}

impl Alert {
    /// Creates a critical alert.
    pub(super) fn critical(name: &'static str, group: &'static str) -> Self {
        Self::new(name, group, Severity::Critical)
    }

    /// Creates a warning.
    pub(super) fn warning(name: &'static str, group: &'static str) -> Self {
        Self::new(name, group, Severity::Warning)
    }

    fn new(name: &'static str, group: &'static str, severity: Severity) -> Self {
        Self {
            name,
            group,
            severity,
            query: String::new(),
            comparison: Comparison::Above,
            threshold: None,
            hold: "0s",
            keep: None,
            line: "",
            description: "",
            panel: ("", ""),
        }
    }

    /// Fires if the value is above the threshold.
    pub(super) fn above(self, threshold: f64, query: impl Into<String>) -> Self {
        Self {
            comparison: Comparison::Above,
            threshold: Some(threshold),
            query: query.into(),
            ..self
        }
    }

    /// Fires if the value is below the threshold.
    pub(super) fn below(self, threshold: f64, query: impl Into<String>) -> Self {
        Self {
            comparison: Comparison::Below,
            threshold: Some(threshold),
            query: query.into(),
            ..self
        }
    }

    /// Sets the duration for which the condition must hold. Defaults to zero.
    pub(super) fn lasting(self, hold: &'static str) -> Self {
        Self { hold, ..self }
    }

    /// Sets the duration for which the alert keeps firing after the condition has ended.
    pub(super) fn kept(self, keep: &'static str) -> Self {
        Self { keep: Some(keep), ..self }
    }

    /// Sets the summary and the description.
    pub(super) fn annotated(self, line: &'static str, description: &'static str) -> Self {
        Self { line, description, ..self }
    }

    /// Links the panel with this title on the dashboard with this uid.
    pub(super) fn shown_on(self, dashboard: &'static str, panel: &'static str) -> Self {
        Self { panel: (dashboard, panel), ..self }
    }

    /// Returns the uid of the Grafana rule: the name in snake case.
    #[must_use]
    pub fn uid(&self) -> String {
        self.words('_')
    }

    /// Returns the words of the name in lower case.
    fn words(&self, between: char) -> String {
        let mut words = String::new();
        for character in self.name.chars() {
            if character.is_ascii_uppercase() && !words.is_empty() {
                words.push(between);
            }
            words.push(character.to_ascii_lowercase());
        }
        words
    }

    /// Returns the expression that selects the series for which the alert fires.
    #[must_use]
    pub fn condition(&self) -> String {
        let operator = match self.comparison {
            Comparison::Above => ">",
            Comparison::Below => "<",
        };
        match self.threshold {
            Some(threshold) => format!("({}) {operator} {threshold}", self.query),
            None => self.query.clone(),
        }
    }

    /// Returns the summary. `template` prints the value; its `%` is replaced by the number format.
    #[must_use]
    pub fn summary(&self, template: &str) -> String {
        self.line
            .replace("{value}", &template.replace('%', "%.1f"))
            .replace("{count}", &template.replace('%', "%.0f"))
    }

    /// Returns the path of the runbook: `runbooks/<name in words>.md`.
    #[must_use]
    pub fn runbook(&self) -> String {
        format!("runbooks/{}.md", self.words('-'))
    }

    /// Returns the URL of the runbook.
    #[must_use]
    pub fn runbook_url(&self) -> String {
        format!("{}/blob/main/observability/{}", env!("CARGO_PKG_REPOSITORY"), self.runbook())
    }
}

impl From<&Alert> for Rule {
    fn from(alert: &Alert) -> Self {
        Self {
            record: None,
            alert: Some(alert.name.to_owned()),
            expr: expression::readable(&alert.condition()),
            hold: Some(alert.hold.to_owned()),
            keep_firing_for: alert.keep.map(str::to_owned),
            labels: BTreeMap::from([("severity".to_owned(), alert.severity.as_str().to_owned())]),
            annotations: BTreeMap::from([
                ("summary".to_owned(), alert.summary("{{ $value | printf \"%\" }}")),
                ("description".to_owned(), alert.description.to_owned()),
                ("runbook_url".to_owned(), alert.runbook_url()),
            ]),
        }
    }
}
