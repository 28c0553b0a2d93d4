//! Queries of the panels, with the variables replaced by values.

use crate::prometheus::{Answer, Prometheus};
use serde_json::Value;
use std::fs;
use std::time::Duration;
use xtask::files::root;
use xtask::stack::expression::interpolated;

/// Values of the variables for a time range of one hour. A point of a graph covers four scrapes.
const LAST_HOUR: [(&str, &str); 7] = [
    ("$__rate_interval_ms", "40000"),
    ("$__rate_interval", "40s"),
    ("$__range_s", "3600"),
    ("$__range", "1h"),
    ("$service", "orchestration-service"),
    ("$workflow", ".*"),
    ("$agent", ".*"),
];

/// Panels on Tempo's span metrics. Tempo does not run here, so a separate test covers them.
pub(crate) const OF_TEMPO: [&str; 1] = ["Span duration p95, with traces"];

/// A query of a panel.
pub(crate) struct Query {
    dashboard: String,
    pub(crate) panel: String,
    letter: String,
    pub(crate) expression: String,
    instant: bool,
}

impl Query {
    pub(crate) fn name(&self) -> String {
        format!("{} / {} / {}", self.dashboard, self.panel, self.letter)
    }

    /// Reports whether the query is empty by design: minutes if a cost is set, cost if none is set.
    pub(crate) fn is_empty_by_design(&self, cost: &str) -> bool {
        self.expression.contains(if cost == "0" {
            "(vector($cost_per_minute) != 0)"
        } else {
            "(vector($cost_per_minute) == 0)"
        })
    }

    pub(crate) fn run(&self, prometheus: &Prometheus, cost: &str) -> Answer {
        self.send(
            prometheus,
            &interpolated(
                &interpolated(&self.expression, &LAST_HOUR),
                &[("$cost_per_minute", cost)],
            ),
        )
    }

    /// Runs the query with points of one hour, which cover the whole lifetime of the processes
    /// here.
    pub(crate) fn run_by_hour(&self, prometheus: &Prometheus) -> Answer {
        let hour = [("$__rate_interval_ms", "3600000"), ("$__rate_interval", "1h")];
        self.send(prometheus, &interpolated(&interpolated(&self.expression, &hour), &LAST_HOUR))
    }

    fn send(&self, prometheus: &Prometheus, expression: &str) -> Answer {
        if self.instant {
            prometheus.instant(expression)
        } else {
            prometheus.range(expression, Duration::from_secs(60))
        }
    }
}

/// Returns the queries of all panels of the committed dashboards.
pub(crate) fn all() -> Vec<Query> {
    let mut queries = Vec::new();
    let folder = root().join("observability/grafana/dashboards");
    for entry in fs::read_dir(folder).expect("dashboards") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a dashboard");
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("targets") {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                queries.push(Query {
                    dashboard: text(&dashboard["title"]),
                    panel: text(&panel["title"]),
                    letter: text(&target["refId"]),
                    expression: text(&target["expr"]),
                    instant: target["instant"] == true,
                });
            }
        }
    }
    assert!(queries.len() > 50, "only {} queries", queries.len());
    queries
}
