//! Queries of the panels, with the variables replaced by values.

use crate::prometheus::{Answer, Prometheus};
use serde_json::Value;
use std::fs;
use std::time::Duration;
use xtask::files::root;
use xtask::stack::expression::interpolated;

/// Values of the variables for a time range of one hour. A point of a graph covers four scrapes.
const LAST_HOUR: [(&str, &str); 9] = [
    ("$__rate_interval", "40s"),
    ("$__range", "1h"),
    ("$__interval", "1m"),
    ("$instance", ".*"),
    ("$environment", ".*"),
    ("$cluster", ".*"),
    ("$service", "orchestration-service"),
    ("$workflow", ".*"),
    ("$agent", ".*"),
];

/// Width of a panel, in pixels: the default number of points.
const WIDTH: u64 = 1_500;
/// Interval of the scrapes in prometheus.yml, in seconds.
const SCRAPE: u64 = 10;

/// Grafana's rounding of intervals: below so many milliseconds, so many seconds.
const INTERVALS: [(u64, u64); 11] = [
    (12_500, 10),
    (17_500, 15),
    (25_000, 20),
    (45_000, 30),
    (90_000, 60),
    (210_000, 120),
    (450_000, 300),
    (750_000, 600),
    (1_050_000, 900),
    (1_500_000, 1_200),
    (2_700_000, 1_800),
];

/// Panels on Tempo's span metrics. Tempo does not run here, so a separate test covers them.
pub(crate) const OF_TEMPO: [&str; 1] = ["Span duration p95, with traces"];

/// Panels on the span metrics of the sampler in scale-out/, which does not run here.
pub(crate) const OF_SAMPLER: [&str; 1] = ["Span duration p95, before sampling"];

/// Panels on requests that the orchestrator makes only to a chat, which these tests do not have.
pub(crate) const OF_CHATS: [&str; 1] = ["HTTP client p95 by server"];

/// Parts of the names of series about calls of models and tools, which the orchestrator does not
/// make.
const OF_MODELS: [&str; 4] = ["gen_ai:", "agent:cost:", "agent:tokens:", "price_table"];

/// A query of a panel.
pub(crate) struct Query {
    pub(crate) dashboard: String,
    pub(crate) panel: String,
    letter: String,
    pub(crate) expression: String,
    instant: bool,
    /// Number of points of a graph. Defaults to the width of the panel.
    points: u64,
    /// Minimum of the interval of two points, in seconds.
    interval: u64,
}

impl Query {
    pub(crate) fn name(&self) -> String {
        format!("{} / {} / {}", self.dashboard, self.panel, self.letter)
    }

    /// Reports whether the query has data only from a service that calls models.
    pub(crate) fn needs_models(&self) -> bool {
        OF_MODELS.iter().any(|part| self.expression.contains(part))
    }

    /// Reports whether the query is empty by design: minutes if a cost is set, cost if none is set.
    pub(crate) fn is_empty_by_design(&self, cost: &str) -> bool {
        self.expression.contains(if cost == "0" {
            "(vector($cost_per_minute) != 0)"
        } else {
            "(vector($cost_per_minute) == 0)"
        })
    }

    /// Runs the query with another service selected than the orchestrator.
    pub(crate) fn run_of(&self, service: &str, prometheus: &Prometheus, cost: &str) -> Answer {
        let selected = [("$service", service), ("$cost_per_minute", cost)];
        let expression = interpolated(&self.expression, &selected);
        self.send(prometheus, &interpolated(&expression, &LAST_HOUR))
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
        let hour = [("$__rate_interval", "1h"), ("$__interval", "1h")];
        self.send(prometheus, &interpolated(&interpolated(&self.expression, &hour), &LAST_HOUR))
    }

    /// Returns Grafana's interval of two points over a time range, in seconds.
    fn step(&self, span: Duration) -> u64 {
        let exact = span.as_millis() / u128::from(self.points);
        let (_, rounded) = INTERVALS
            .into_iter()
            .find(|(below, _)| exact < u128::from(*below))
            .expect("less than a week");
        rounded.max(self.interval)
    }

    /// Runs the query as Grafana does for a time range.
    pub(crate) fn run_over(&self, prometheus: &Prometheus, span: Duration) -> Answer {
        let step = self.step(span);
        let (range, point) = (format!("{}s", span.as_secs()), format!("{step}s"));
        let rate = format!("{}s", (step + SCRAPE).max(4 * SCRAPE));
        let range = [
            ("$__rate_interval", &*rate),
            ("$__range", &*range),
            ("$__interval", &*point),
            ("$cost_per_minute", "0.5"),
        ];
        let expression = interpolated(&interpolated(&self.expression, &range), &LAST_HOUR);
        if self.instant {
            prometheus.instant(&expression)
        } else {
            prometheus.range_by(&expression, span, step)
        }
    }

    fn send(&self, prometheus: &Prometheus, expression: &str) -> Answer {
        if self.instant {
            prometheus.instant(expression)
        } else {
            prometheus.range(expression, Duration::from_secs(60))
        }
    }
}

/// Returns the queries of the panels of the committed dashboards.
pub(crate) fn all() -> Vec<Query> {
    // The expressions of the alerts have no data while all is well. Other tests check them.
    with_alerts().into_iter().filter(|query| query.dashboard != "Alerts").collect()
}

/// Returns the queries of all panels of the committed dashboards.
pub(crate) fn with_alerts() -> Vec<Query> {
    let mut queries = Vec::new();
    let folder = root().join("observability/grafana/dashboards");
    for entry in fs::read_dir(folder).expect("dashboards") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a dashboard");
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        let panels = dashboard["panels"].as_array().expect("panels");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                // Panels of traces and logs.
                if target["datasource"]["type"] != "prometheus" {
                    continue;
                }
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                queries.push(Query {
                    dashboard: text(&dashboard["title"]),
                    panel: text(&panel["title"]),
                    letter: text(&target["refId"]),
                    expression: text(&target["expr"]),
                    instant: target["instant"] == true,
                    points: panel["maxDataPoints"].as_u64().unwrap_or(WIDTH),
                    interval: if panel["interval"] == "1m" { 60 } else { SCRAPE },
                });
            }
        }
    }
    assert!(queries.len() > 50, "only {} queries", queries.len());
    queries
}
