//! PromQL expressions, built from the metrics and labels of the contract.
//!
//! [`events_in_window`] counts the events of a counter in a window. `increase` alone misses the
//! events that a counter had counted before its first scrape, for example the first failures of a
//! kind. On the other hand, the value of a counter whose first scrape is late must not count as
//! new events.

use crate::docs::label_name;
use hub_otel::semconv::Metric;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::metric::PROCESS_UPTIME;
use opentelemetry_semantic_conventions::attribute as s;
use std::fmt;

/// Prometheus label: the scrape job, or `<namespace>/<service>` of pushed metrics.
pub const JOB: &str = "job";
/// Prometheus label: the target, or the `service.instance.id` of pushed metrics.
pub const INSTANCE: &str = "instance";
/// Prometheus label: the upper bound of a histogram bucket.
pub const LE: &str = "le";
/// Attribute of the environment of a service, `production` or `staging`.
pub const ENVIRONMENT: &str = s::DEPLOYMENT_ENVIRONMENT_NAME;
/// Prometheus label: the cluster, in a store of several Prometheus servers.
pub const CLUSTER: &str = "cluster";

/// Process that exposes a counter. It determines the series with the age of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Instrumented service.
    Service,
    /// The Collector.
    Collector,
    /// Prometheus.
    Prometheus,
}

/// A selector of series.
#[derive(Debug, Clone)]
pub struct Series {
    name: String,
    matchers: Vec<String>,
    origin: Origin,
}

impl Series {
    /// Selects a counter, an up-down counter or a gauge of the contract.
    #[must_use]
    pub fn of(metric: &Metric) -> Self {
        Self { name: metric.prometheus.to_owned(), matchers: Vec::new(), origin: Origin::Service }
    }

    /// Selects the buckets of a histogram of the contract.
    #[must_use]
    pub fn buckets(metric: &Metric) -> Self {
        Self::part(metric, "bucket")
    }

    /// Selects the count of a histogram of the contract.
    #[must_use]
    pub fn count(metric: &Metric) -> Self {
        Self::part(metric, "count")
    }

    /// Selects the sum of a histogram of the contract.
    #[must_use]
    pub fn sum(metric: &Metric) -> Self {
        Self::part(metric, "sum")
    }

    /// Selects a native histogram, which has the name of the metric and no parts.
    #[must_use]
    pub fn native(metric: &Metric) -> Self {
        Self::of(metric)
    }

    /// Selects the native histogram of the metric of which this selects the classic buckets.
    #[must_use]
    pub fn as_native(&self) -> Self {
        Self { name: self.name.replacen("_bucket", "", 1), ..self.clone() }
    }

    /// Selects a series outside the contract, see [`crate::stack::known_series`].
    #[must_use]
    pub fn own(name: &str, origin: Origin) -> Self {
        Self { name: name.to_owned(), matchers: Vec::new(), origin }
    }

    fn part(metric: &Metric, part: &str) -> Self {
        Self {
            name: format!("{}_{part}", metric.prometheus),
            matchers: Vec::new(),
            origin: Origin::Service,
        }
    }

    /// Requires that a label equals a value.
    #[must_use]
    pub fn is(self, label: &str, value: &str) -> Self {
        self.matching(label, "=", value)
    }

    /// Requires that a label differs from a value.
    #[must_use]
    pub fn not(self, label: &str, value: &str) -> Self {
        self.matching(label, "!=", value)
    }

    /// Requires that a label matches a regular expression.
    #[must_use]
    pub fn like(self, label: &str, pattern: &str) -> Self {
        self.matching(label, "=~", pattern)
    }

    /// Requires that a label does not match a regular expression.
    #[must_use]
    pub fn unlike(self, label: &str, pattern: &str) -> Self {
        self.matching(label, "!~", pattern)
    }

    fn matching(mut self, label: &str, operator: &str, value: &str) -> Self {
        self.matchers.push(format!("{}{operator}\"{value}\"", label_name(label)));
        self
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.matchers.is_empty() {
            Ok(())
        } else {
            write!(f, "{{{}}}", self.matchers.join(", "))
        }
    }
}

/// A duration, as a PromQL range and in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Range in PromQL or a Grafana variable: `5m`, `$__range`.
    pub range: &'static str,
    /// The same duration in seconds, as an expression. Prometheus 3 reads a duration as a number.
    pub seconds: &'static str,
}

/// One minute.
pub const MINUTE: Window = Window { range: "1m", seconds: "60" };
/// Five minutes.
pub const FIVE_MINUTES: Window = Window { range: "5m", seconds: "300" };
/// Ten minutes.
pub const TEN_MINUTES: Window = Window { range: "10m", seconds: "600" };
/// Fifteen minutes.
pub const FIFTEEN_MINUTES: Window = Window { range: "15m", seconds: "900" };
/// Time range of the dashboard.
pub const SHOWN: Window = Window { range: "$__range", seconds: "$__range" };
/// Interval of one point of a graph, at least four scrapes.
pub const POINT: Window = Window { range: "$__rate_interval", seconds: "$__rate_interval" };

/// Returns an expression for the number of events that `series` counted in the window, per series.
///
/// A series created inside the window counts from zero if its process is younger than the window or
/// was already scraped at the start of the window. Any other series counts by `increase`. The first
/// operand takes precedence, because `increase` of a new series is 0 and not absent.
#[must_use]
pub fn events_in_window(series: &Series, window: Window) -> String {
    let Window { range, seconds } = window;
    let (age, born) = match series.origin {
        Origin::Service => (PROCESS_UPTIME.prometheus.to_owned(), PROCESS_UPTIME.prometheus),
        Origin::Collector => (
            "otelcol_process_uptime_seconds_total".to_owned(),
            "otelcol_process_uptime_seconds_total",
        ),
        Origin::Prometheus => {
            ("time() - process_start_time_seconds".to_owned(), "process_start_time_seconds")
        }
    };
    format!(
        "((({series} unless {series} offset {range}) and resets({series}[{range}]) == 0) \
         and on ({JOB}, {INSTANCE}) ({age} < {seconds} or {born} offset {range}) \
         or increase({series}[{range}]))"
    )
}

/// Returns an expression for the exact number of events that `series` counted in the last minute.
///
/// The sum over consecutive minutes counts each event once. After a restart at the same target, the
/// events of the new process are added to those that the old one counted since the last minute. A
/// process counts as new for two minutes, because the minute of its first evaluation may have
/// started before its first scrape.
#[must_use]
pub fn events_per_minute(series: &Series) -> String {
    let uptime = PROCESS_UPTIME.prometheus;
    let process = format!("on ({JOB}, {INSTANCE})");
    let restarted = format!("{process} {uptime} < {uptime} offset 1m");
    // The last value of the old process, if it is above the one of the new process.
    let old = format!("max_over_time({series}[1m]) > {series} or {series} offset 1m");
    format!(
        "(({series} - {series} offset 1m >= 0) unless {restarted} \
         or {series} + clamp_min(({old}) - {series} offset 1m, 0) and {restarted} \
         or {series} and {process} ({uptime} < 120 or {uptime} offset 1m))"
    )
}

/// Returns an expression for the distribution of the values that a native histogram got in the last
/// minute.
///
/// Native histograms are pushed only, and most processes have series of their own. Where the labels
/// are those of the old process, for example the name of a pod, its last events before the restart
/// are not counted.
#[must_use]
pub fn values_per_minute(native: &Series) -> String {
    let uptime = PROCESS_UPTIME.prometheus;
    let process = format!("on ({JOB}, {INSTANCE})");
    format!(
        "({native} - {native} offset 1m unless {process} {uptime} < {uptime} offset 1m \
         or {native} and {process} ({uptime} < 120 or {uptime} offset 1m))"
    )
}

/// Returns labels as Prometheus spells them. A service is that of one environment and cluster.
#[must_use]
pub fn grouping(labels: &[&str]) -> Vec<String> {
    let service = label_name(SERVICE_NAME);
    let names = labels.iter().map(|label| label_name(label));
    names
        .flat_map(|name| {
            let is_service = name == service;
            let scope = [ENVIRONMENT, CLUSTER].map(label_name).into_iter();
            std::iter::once(name).chain(scope.filter(move |_| is_service))
        })
        .collect()
}

/// Returns `sum by (labels) (expression)`.
#[must_use]
pub fn sum_by(labels: &[&str], expression: impl fmt::Display) -> String {
    aggregate("sum", labels, expression)
}

/// Returns `max by (labels) (expression)`.
#[must_use]
pub fn max_by(labels: &[&str], expression: impl fmt::Display) -> String {
    aggregate("max", labels, expression)
}

fn aggregate(operator: &str, labels: &[&str], expression: impl fmt::Display) -> String {
    let inner = expression.to_string();
    let inner = unwrapped(&inner);
    if labels.is_empty() {
        return format!("{operator}({inner})");
    }
    format!("{operator} by ({}) ({inner})", grouping(labels).join(", "))
}

/// Removes a pair of parentheses that encloses the whole expression.
fn unwrapped(expression: &str) -> &str {
    let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return expression;
    };
    let mut depth = 0_i32;
    for character in inner.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return expression;
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_otel::semconv::attribute::label::STATUS;
    use hub_otel::semconv::metric::WORKFLOW_RUNS;

    #[test]
    fn a_selector_is_rendered_with_its_matchers_in_order() {
        assert_eq!(Series::of(&WORKFLOW_RUNS).to_string(), "workflow_runs_total");
        let failed =
            Series::of(&WORKFLOW_RUNS).like(STATUS, "FAILED|TIMED_OUT").not("service.name", "x");
        assert_eq!(
            failed.to_string(),
            "workflow_runs_total{status=~\"FAILED|TIMED_OUT\", service_name!=\"x\"}"
        );
    }

    #[test]
    fn only_an_enclosing_pair_of_parentheses_is_removed() {
        assert_eq!(unwrapped("(a or b)"), "a or b");
        assert_eq!(unwrapped("(a) or (b)"), "(a) or (b)");
    }
}
