//! Captured metrics, and their rendering as a table.

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::AggregatedMetrics;
use opentelemetry_sdk::metrics::data::MetricData;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Metrics at one moment: every series, sorted by name and labels.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// hub_otel::agent("scanner", "scan").run(async {}).await;
/// let metrics = capture.metrics();
/// assert_eq!(metrics.value("agent.runs.total", &[("agent_id", "scanner")]), 1.0);
/// assert!(metrics.table().contains(
///     "agent.runs.total{action=scan, agent_id=scanner, status=SUCCESS} 1\n"
/// ));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Metrics(Vec<Series>);

/// Metric with one set of labels.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// hub_otel::workflow("nightly").run(async {}).await;
/// let metrics = capture.metrics();
/// let duration = metrics.iter().find(|series| series.name == "workflow.duration").unwrap();
/// assert_eq!((duration.kind, duration.unit.as_str()), ("histogram", "ms"));
/// assert_eq!(duration.labels["workflow_id"], "nightly");
/// assert_eq!(duration.value, 1.0);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// OpenTelemetry name of the metric.
    pub name: String,
    /// Name of the instrumentation scope, which is that of the meter.
    pub scope: String,
    /// Unit.
    pub unit: String,
    /// Instrument kind: `counter`, `up_down_counter`, `histogram` or `gauge`.
    pub kind: &'static str,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value of a counter or gauge; number of recordings of a histogram.
    pub value: f64,
    /// Sum of a histogram; equal to `value` for the other kinds.
    pub sum: f64,
    /// Bucket bounds of a histogram.
    pub bounds: Vec<f64>,
}

impl Metrics {
    pub(super) fn new(collected: &ResourceMetrics) -> Self {
        let mut series = Vec::new();
        let metrics = collected.scope_metrics().flat_map(|scope_metrics| {
            let scope = scope_metrics.scope().name();
            scope_metrics.metrics().map(move |metric| (scope, metric))
        });
        for (scope, metric) in metrics {
            let mut add = |kind, labels: Vec<KeyValue>, value, sum, bounds| {
                series.push(Series {
                    name: metric.name().to_owned(),
                    scope: scope.to_owned(),
                    unit: metric.unit().to_owned(),
                    kind,
                    labels: labels
                        .into_iter()
                        .map(|label| (label.key.to_string(), label.value.to_string()))
                        .collect(),
                    value,
                    sum,
                    bounds,
                });
            };
            match metric.data() {
                AggregatedMetrics::F64(data) => points(data, |value| value, &mut add),
                AggregatedMetrics::U64(data) => points(data, unsigned, &mut add),
                AggregatedMetrics::I64(data) => points(data, signed, &mut add),
            }
        }
        series.sort_by(|one, other| (&one.name, &one.labels).cmp(&(&other.name, &other.labels)));
        Self(series)
    }

    /// Returns all series, sorted by name and labels.
    pub fn iter(&self) -> std::slice::Iter<'_, Series> {
        self.0.iter()
    }

    /// Returns the sum over the series of this name that have all of `labels`, of a histogram the
    /// number of recordings; 0 if there is no such series.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |series: &&Series| {
            series.name == name
                && labels
                    .iter()
                    .all(|(key, value)| series.labels.get(*key).is_some_and(|label| label == value))
        };
        self.0.iter().filter(fits).map(|series| series.value).sum()
    }

    /// Renders one line per series: `name{label=value, …} value`, of a histogram `count=` and the
    /// number of recordings.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for series in &self.0 {
            let labels: Vec<_> =
                series.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let count = if series.kind == "histogram" { "count=" } else { "" };
            let _ =
                writeln!(text, "{}{{{}}} {count}{}", series.name, labels.join(", "), series.value);
        }
        text
    }
}

impl<'a> IntoIterator for &'a Metrics {
    type Item = &'a Series;
    type IntoIter = std::slice::Iter<'a, Series>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

type Add<'a> = &'a mut dyn FnMut(&'static str, Vec<KeyValue>, f64, f64, Vec<f64>);

fn points<T: Copy>(data: &MetricData<T>, number: impl Fn(T) -> f64, add: Add<'_>) {
    match data {
        MetricData::Sum(sum) => {
            let kind = if sum.is_monotonic() { "counter" } else { "up_down_counter" };
            for point in sum.data_points() {
                let value = number(point.value());
                add(kind, point.attributes().cloned().collect(), value, value, Vec::new());
            }
        }
        MetricData::Gauge(gauge) => {
            for point in gauge.data_points() {
                let value = number(point.value());
                add("gauge", point.attributes().cloned().collect(), value, value, Vec::new());
            }
        }
        MetricData::Histogram(histogram) => {
            for point in histogram.data_points() {
                let (count, sum) = (unsigned(point.count()), number(point.sum()));
                add(
                    "histogram",
                    point.attributes().cloned().collect(),
                    count,
                    sum,
                    point.bounds().collect(),
                );
            }
        }
        // Only a view creates one, and the provider of a capture has no views.
        MetricData::ExponentialHistogram(_) => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts in tests are small")]
fn unsigned(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts in tests are small")]
fn signed(value: i64) -> f64 {
    value as f64
}
