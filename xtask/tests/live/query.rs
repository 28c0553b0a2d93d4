//! The queries of the panels, with their variables filled in as Grafana would.

use crate::prometheus::{Answer, Prometheus};
use serde_json::Value;
use std::fs;
use std::time::Duration;
use xtask::files::root;
use xtask::stack::expression::interpolated;

/// A dashboard that shows one hour, as the boards do when they are opened; a graph's point is four scrapes.
const SHOWN: [(&str, &str); 7] = [
    ("$__rate_interval_ms", "40000"),
    ("$__rate_interval", "40s"),
    ("$__range_s", "3600"),
    ("$__range", "1h"),
    ("$service", "orchestration-service"),
    ("$workflow", ".*"),
    ("$agent", ".*"),
];

/// The panels that read what Tempo makes of the traces. It is not here: they are asked in a test of their own.
pub(crate) const OF_TEMPO: [&str; 1] = ["Span duration p95, with traces"];

/// A query of a panel.
pub(crate) struct Query {
    board: String,
    pub(crate) panel: String,
    letter: String,
    pub(crate) expression: String,
    instant: bool,
}

impl Query {
    pub(crate) fn name(&self) -> String {
        format!("{} / {} / {}", self.board, self.panel, self.letter)
    }

    /// One of the two is empty by design: minutes while a minute costs nothing, money otherwise.
    pub(crate) fn is_empty_by_design(&self, cost: &str) -> bool {
        self.expression.contains(if cost == "0" {
            "(vector($cost_per_minute) != 0)"
        } else {
            "(vector($cost_per_minute) == 0)"
        })
    }

    pub(crate) fn ask(&self, prometheus: &Prometheus, cost: &str) -> Answer {
        self.send(
            prometheus,
            &interpolated(&interpolated(&self.expression, &SHOWN), &[("$cost_per_minute", cost)]),
        )
    }

    /// The panel where one point of its graph is a whole hour: everything that happened to a younger process.
    pub(crate) fn ask_hour(&self, prometheus: &Prometheus) -> Answer {
        let hour = [("$__rate_interval_ms", "3600000"), ("$__rate_interval", "1h")];
        self.send(prometheus, &interpolated(&interpolated(&self.expression, &hour), &SHOWN))
    }

    fn send(&self, prometheus: &Prometheus, expression: &str) -> Answer {
        if self.instant {
            prometheus.instant(expression)
        } else {
            prometheus.range(expression, Duration::from_secs(60))
        }
    }
}

/// Every query of every panel of every committed dashboard.
pub(crate) fn all() -> Vec<Query> {
    let mut queries = Vec::new();
    let folder = root().join("observability/grafana/dashboards");
    for entry in fs::read_dir(folder).expect("dashboards") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a dashboard");
        let board: Value = serde_json::from_str(&text).expect("JSON");
        for panel in board["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("targets") {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                queries.push(Query {
                    board: text(&board["title"]),
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
