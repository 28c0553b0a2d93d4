//! Definition of an alert, from which a Prometheus rule and a Grafana rule are generated.

use crate::stack::expression;
use crate::stack::known_series;
use crate::stack::rule::Rule;
use std::collections::BTreeMap;

/// Urgency of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Requires immediate action.
    Critical,
    /// Requires action within the day.
    Warning,
    /// Requires none: the alert fires always, and its end is the news.
    None,
}

impl Severity {
    /// Returns the value of the label `severity`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::None => "none",
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
    /// Filters the linked panel by the labels of the alert.
    pub filter: bool,
    /// Unit of the value, as Grafana names it.
    pub unit: &'static str,
    /// State of Grafana's rule if the query fails.
    pub on_error: &'static str,
}

/// Uid of the dashboard with one panel per alert.
pub const DASHBOARD: &str = "alerts";

/// Labels by which the panel of an alert is filtered, and the variables of the dashboard.
const FILTERS: [(&str, &str); 5] = [
    ("service_name", "service"),
    ("deployment_environment_name", "environment"),
    ("cluster", "cluster"),
    ("workflow_id", "workflow"),
    ("agent_id", "agent"),
];

/// External label of Prometheus: base URL of the runbooks.
pub const RUNBOOKS: &str = "runbooks";
/// External label of Prometheus: root URL of Grafana, or URL of a project of Perses.
pub const GRAFANA: &str = "grafana";

impl Alert {
    /// Creates a critical alert.
    pub(super) fn critical(name: &'static str, group: &'static str) -> Self {
        Self::new(name, group, Severity::Critical)
    }

    /// Creates an alert that fires always.
    pub(super) fn always(name: &'static str, group: &'static str) -> Self {
        Self::new(name, group, Severity::None)
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
            filter: true,
            unit: "short",
            // An outage of Prometheus must not resolve firing alerts.
            on_error: "KeepLast",
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

    /// Sets the unit of the value.
    pub(super) fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Declares that the value has no label `service_name`.
    pub(super) fn of_no_service(self) -> Self {
        Self { filter: false, ..self }
    }

    /// Sets the state of Grafana's rule if the query fails.
    pub(super) fn if_the_query_fails(self, on_error: &'static str) -> Self {
        Self { on_error, ..self }
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

    /// Returns the URL of the runbook. `base` is the base URL of the runbooks.
    #[must_use]
    pub fn runbook_url(&self, base: &str) -> String {
        format!("{base}/{}.md", self.words('-'))
    }

    /// Returns the labels of the value by which its panel is filtered, and their variables.
    #[must_use]
    pub fn filters(&self) -> Vec<(&'static str, &'static str)> {
        let labels = expression::labels(&self.query, &known_series::all());
        let has = |label: &str| self.filter && labels.iter().any(|name| name == label);
        FILTERS.into_iter().filter(|(label, _)| has(label)).collect()
    }

    /// Returns the parameters of the URL by which the panel is filtered. A variable whose label is
    /// absent keeps its default, all values.
    fn parameters(&self) -> String {
        let parameter = |(label, variable)| {
            format!("{{{{ with $labels.{label} }}}}&var-{variable}={{{{ . }}}}{{{{ end }}}}")
        };
        self.filters().into_iter().map(parameter).collect()
    }

    /// Returns the URL of the panel that shows the value with its threshold, of the same service,
    /// environment, cluster, workflow and agent. `root` is the root URL of Grafana.
    #[must_use]
    pub fn panel_url(&self, root: &str, panel: usize) -> String {
        format!("{root}{}{}", path_in_grafana(panel), self.parameters())
    }

    /// Returns the template of the panel's URL. The external label `grafana` is the root URL of
    /// Grafana, or the URL of a project of Perses.
    fn panel_url_template(&self) -> String {
        let panel = crate::stack::dashboards::alert_panel(self.name);
        let root = format!("$externalLabels.{GRAFANA}");
        let reference = format!("%7B%22ref%22%3A%22{panel}%22%7D");
        let of_perses = format!("/dashboards/{DASHBOARD}?start=3h&viewPanelRef={reference}");
        let (of_grafana, parameters) = (path_in_grafana(panel), self.parameters());
        format!(
            "{{{{ {root} }}}}{{{{ if match \"/projects/\" {root} }}}}\
             {of_perses}{{{{ else }}}}{of_grafana}{{{{ end }}}}{parameters}"
        )
    }
}

/// Returns the path of a panel in Grafana, without the parameters that filter it.
fn path_in_grafana(panel: usize) -> String {
    format!("/d/{DASHBOARD}?viewPanel={panel}&from=now-3h&to=now")
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
                (
                    "runbook_url".to_owned(),
                    alert.runbook_url(&format!("{{{{ $externalLabels.{RUNBOOKS} }}}}")),
                ),
                ("panel_url".to_owned(), alert.panel_url_template()),
            ]),
        }
    }
}
