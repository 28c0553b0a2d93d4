//! Captured metrics, and their table as text.

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::AggregatedMetrics;
use opentelemetry_sdk::metrics::data::MetricData;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The metrics of one moment.
#[derive(Debug, Clone)]
pub struct Metrics(Vec<Series>);

/// One series: a metric with one set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric's OpenTelemetry name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// `counter`, `up_down_counter`, `histogram` or `gauge`.
    pub kind: &'static str,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// A counter's or gauge's value; how often a histogram was recorded into.
    pub value: f64,
    /// A histogram's sum; the value of the others.
    pub sum: f64,
    /// A histogram's bounds.
    pub bounds: Vec<f64>,
}

impl Metrics {
    pub(super) fn new(collected: &ResourceMetrics) -> Self {
        let mut series = Vec::new();
        for metric in collected.scope_metrics().flat_map(|scope| scope.metrics()) {
            let mut add = |kind, labels: Vec<KeyValue>, value, sum, bounds| {
                series.push(Series {
                    name: metric.name().to_owned(),
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
                AggregatedMetrics::U64(data) => points(data, number, &mut add),
                AggregatedMetrics::I64(data) => points(data, signed, &mut add),
            }
        }
        series.sort_by(|one, other| (&one.name, &one.labels).cmp(&(&other.name, &other.labels)));
        Self(series)
    }

    /// All series, sorted by name and labels.
    pub fn iter(&self) -> std::slice::Iter<'_, Series> {
        self.0.iter()
    }

    /// The value of a series, or how often a histogram was recorded into; 0 where it is not there. `labels` may leave
    /// some out: the sum over all that fit is given.
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

    /// One line a series: `name{label=value, …} value`; of a histogram how often it was recorded into.
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
                let (count, sum) =
                    (crate::testing::metrics::number(point.count()), number(point.sum()));
                add(
                    "histogram",
                    point.attributes().cloned().collect(),
                    count,
                    sum,
                    point.bounds().collect(),
                );
            }
        }
        // No view of ours makes one.
        MetricData::ExponentialHistogram(_) => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts in tests are small")]
fn number(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts in tests are small")]
fn signed(value: i64) -> f64 {
    value as f64
}
