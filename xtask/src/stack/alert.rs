//! An alert: one definition, rendered as a rule of Prometheus and as a rule of Grafana.

use crate::stack::expression;
use crate::stack::rule::Rule;
use std::collections::BTreeMap;

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody must look now.
    Critical,
    /// Somebody should look today.
    Warning,
}

impl Severity {
    /// The value of the label `severity`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// On which side of the threshold the trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// An alert.
#[derive(Debug, Clone)]
pub struct Alert {
    /// The alert's name, in both.
    pub name: &'static str,
    /// The rule group, in both.
    pub group: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// What is compared: a bare value.
    pub query: String,
    /// On which side of the threshold the trouble is.
    pub trouble: Trouble,
    /// What it is compared with; `None` compares with nothing (for the test that shows that this is noticed).
    pub threshold: Option<f64>,
    /// How long it must last before it fires.
    pub hold: &'static str,
    /// How long it goes on firing when the condition is gone: calms flapping.
    pub keep: Option<&'static str>,
    /// One line; `{value}` stands for the value, `{count}` for the value as a whole number.
    pub line: &'static str,
    /// What it means.
    pub description: &'static str,
    /// The panel to look at: dashboard and title.
    pub panel: (&'static str, &'static str),
}

impl Alert {
    /// An alert for which somebody must look now.
    pub(super) fn critical(name: &'static str, group: &'static str) -> Self {
        Self::new(name, group, Severity::Critical)
    }

    /// An alert for which somebody should look today.
    pub(super) fn warning(name: &'static str, group: &'static str) -> Self {
        Self::new(name, group, Severity::Warning)
    }

    fn new(name: &'static str, group: &'static str, severity: Severity) -> Self {
        Self {
            name,
            group,
            severity,
            query: String::new(),
            trouble: Trouble::Above,
            threshold: None,
            hold: "0s",
            keep: None,
            line: "",
            description: "",
            panel: ("", ""),
        }
    }

    /// Trouble is above this threshold.
    pub(super) fn above(self, threshold: f64, query: impl Into<String>) -> Self {
        Self { trouble: Trouble::Above, threshold: Some(threshold), query: query.into(), ..self }
    }

    /// Trouble is below this threshold.
    pub(super) fn below(self, threshold: f64, query: impl Into<String>) -> Self {
        Self { trouble: Trouble::Below, threshold: Some(threshold), query: query.into(), ..self }
    }

    /// It must last this long before it fires; without this it fires at once.
    pub(super) fn lasting(self, hold: &'static str) -> Self {
        Self { hold, ..self }
    }

    /// It goes on firing for this long when the condition is gone.
    pub(super) fn kept(self, keep: &'static str) -> Self {
        Self { keep: Some(keep), ..self }
    }

    /// What people read.
    pub(super) fn says(self, line: &'static str, description: &'static str) -> Self {
        Self { line, description, ..self }
    }

    /// The panel to look at: dashboard and title.
    pub(super) fn shown_on(self, board: &'static str, panel: &'static str) -> Self {
        Self { panel: (board, panel), ..self }
    }

    /// The uid of Grafana's rule: the name in snake case.
    #[must_use]
    pub fn uid(&self) -> String {
        self.words('_')
    }

    /// The name's words in lower case.
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

    /// The expression that is true when there is trouble.
    #[must_use]
    pub fn condition(&self) -> String {
        let operator = match self.trouble {
            Trouble::Above => ">",
            Trouble::Below => "<",
        };
        match self.threshold {
            Some(threshold) => format!("({}) {operator} {threshold}", self.query),
            None => self.query.clone(),
        }
    }

    /// The line for people, with a template that prints the value: in its place stands the format.
    #[must_use]
    pub fn summary(&self, template: &str) -> String {
        self.line
            .replace("{value}", &template.replace('%', "%.1f"))
            .replace("{count}", &template.replace('%', "%.0f"))
    }

    /// The runbook's file: `runbooks/<name in words>.md`.
    #[must_use]
    pub fn runbook(&self) -> String {
        format!("runbooks/{}.md", self.words('-'))
    }

    /// Where the runbook can be read.
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
