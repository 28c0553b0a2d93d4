//! Expressions of PromQL, built from the contract: what names a metric or a label here, names a const there.
//!
//! The one thing that needs thought is [`events_in_window`]: how many events happened in a window. `increase` alone loses what a
//! counter counted before it was first scraped, so the first failures of a kind would never be seen; and a counter that
//! Prometheus merely sees late must not be taken for new events.

use crate::docs::label_name;
use hub_otel::semconv::Metric;
use hub_otel::semconv::metric::PROCESS_UPTIME;
use std::fmt;

/// Prometheus' own label: the scrape job, or `<namespace>/<service>` of what is pushed.
pub const JOB: &str = "job";
/// Prometheus' own label: the target, or the service.instance.id of what is pushed.
pub const INSTANCE: &str = "instance";
/// The upper bound of a histogram's bucket.
pub const LE: &str = "le";

/// Whose counters they are: it decides how old the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An instrumented service.
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
    /// The series of a counter, an up-down counter or a gauge of the contract.
    #[must_use]
    pub fn of(metric: &Metric) -> Self {
        Self { name: metric.prometheus.to_owned(), matchers: Vec::new(), origin: Origin::Service }
    }

    /// The buckets of a histogram of the contract.
    #[must_use]
    pub fn buckets(metric: &Metric) -> Self {
        Self::part(metric, "bucket")
    }

    /// How many values a histogram of the contract holds.
    #[must_use]
    pub fn count(metric: &Metric) -> Self {
        Self::part(metric, "count")
    }

    /// The sum of the values of a histogram of the contract.
    #[must_use]
    pub fn sum(metric: &Metric) -> Self {
        Self::part(metric, "sum")
    }

    /// A series of the stack's own: see [`crate::stack::known_series`].
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

    /// With this label equal to this value.
    #[must_use]
    pub fn is(self, label: &str, value: &str) -> Self {
        self.matching(label, "=", value)
    }

    /// With this label different from this value.
    #[must_use]
    pub fn not(self, label: &str, value: &str) -> Self {
        self.matching(label, "!=", value)
    }

    /// With this label matching this expression.
    #[must_use]
    pub fn like(self, label: &str, pattern: &str) -> Self {
        self.matching(label, "=~", pattern)
    }

    /// With this label not matching this expression.
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

/// A length of time, as a range and as seconds.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// As PromQL or Grafana spells it: `5m`, `$__range`.
    pub range: &'static str,
    /// The same in seconds, as an expression.
    pub seconds: &'static str,
}

/// One minute.
pub const MINUTE: Window = Window { range: "1m", seconds: "60" };
/// Five minutes.
pub const FIVE_MINUTES: Window = Window { range: "5m", seconds: "300" };
/// Ten minutes.
pub const TEN_MINUTES: Window = Window { range: "10m", seconds: "600" };
/// The time range that a dashboard shows.
pub const SHOWN: Window = Window { range: "$__range", seconds: "$__range_s" };
/// One point of a graph, and never less than four scrapes.
pub const POINT: Window =
    Window { range: "$__rate_interval", seconds: "$__rate_interval_ms / 1000" };

/// How many events `series` counted in the window, one result per series.
///
/// A series born inside the window counts from zero where its process is that young, or was already watched when the
/// window began. Any other series counts by `increase`. The order of the two matters: `increase` of a newborn series is
/// 0, not absent.
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

/// How many events `series` counted in the last minute, exactly: added up minute by minute they lose and invent nothing.
///
/// A process counts as new for two minutes: the minute before its first evaluation may have begun before its first scrape.
#[must_use]
pub fn events_per_minute(series: &Series) -> String {
    let uptime = PROCESS_UPTIME.prometheus;
    format!(
        "({series} - {series} offset 1m >= 0 \
         or {series} and on ({JOB}, {INSTANCE}) ({uptime} < 120 or {uptime} offset 1m))"
    )
}

/// The sum over everything but these labels.
#[must_use]
pub fn sum_by(labels: &[&str], expression: impl fmt::Display) -> String {
    aggregate("sum", labels, expression)
}

/// The greatest over everything but these labels.
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
    let labels = labels.iter().map(|label| label_name(label)).collect::<Vec<_>>().join(", ");
    format!("{operator} by ({labels}) ({inner})")
}

/// Without a pair of parentheses that encloses everything.
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

/// A quantile of a histogram over a window, by these labels; absent rather than NaN where nothing happened.
#[must_use]
pub fn quantile(q: f64, labels: &[&str], buckets: &Series, window: Window) -> String {
    let labels: Vec<&str> = labels.iter().copied().chain([LE]).collect();
    format!("histogram_quantile({q}, {}) >= 0", sum_by(&labels, events_in_window(buckets, window)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_otel::semconv::attribute::label::STATUS;
    use hub_otel::semconv::metric::WORKFLOW_RUNS;

    #[test]
    fn a_selector_reads_as_it_is_written() {
        assert_eq!(Series::of(&WORKFLOW_RUNS).to_string(), "workflow_runs_total");
        let failed =
            Series::of(&WORKFLOW_RUNS).like(STATUS, "FAILED|TIMED_OUT").not("service.name", "x");
        assert_eq!(
            failed.to_string(),
            "workflow_runs_total{status=~\"FAILED|TIMED_OUT\", service_name!=\"x\"}"
        );
    }

    #[test]
    fn only_an_enclosing_pair_of_parentheses_is_taken_away() {
        assert_eq!(unwrapped("(a or b)"), "a or b");
        assert_eq!(unwrapped("(a) or (b)"), "(a) or (b)");
    }
}
