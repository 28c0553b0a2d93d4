//! Fifteen minutes of the fixed metrics: those of units from their own counts, others from the SDK.

use super::row::cut;
use super::server::SAMPLE_INTERVAL;
use crate::metrics::snapshot::{SeriesValue, Snapshot, UnitMetric};
use crate::semconv::attribute::label;
use crate::semconv::metric as m;
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, number_data_point};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Samples of fifteen minutes.
const SAMPLES: usize = 180;
/// Entries of a ranking.
const TOP: usize = 8;

/// The way a metric is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chart {
    /// Increase per minute.
    Rate,
    /// Current value.
    Value,
    /// 95th percentile of the values since the last sample.
    P95,
    /// Increase of a histogram's sum per minute.
    SumRate,
}

/// Metrics, titles and units of the charts.
const CHARTS: &[(&str, &str, &str, Chart)] = &[
    (m::WORKFLOW_RUNS.name, "Runs ended", "/min", Chart::Rate),
    (m::WORKFLOWS_ACTIVE.name, "Runs in progress", "", Chart::Value),
    (m::WORKFLOW_DURATION.name, "Run duration, p95", "ms", Chart::P95),
    (m::WORKFLOW_APPROVAL_WAIT_TIME.name, "Wait for approval, p95", "ms", Chart::P95),
    (m::AGENT_RUNS.name, "Agents ended", "/min", Chart::Rate),
    (m::AGENT_DURATION.name, "Agent duration, p95", "ms", Chart::P95),
    (m::AGENT_ERRORS.name, "Agent errors", "/min", Chart::Rate),
    (m::AGENT_RETRIES.name, "Agent retries", "/min", Chart::Rate),
    (m::GEN_AI_TOKEN_USAGE.name, "Tokens", "/min", Chart::SumRate),
    (m::AGENT_COST.name, "Cost", "$ /min", Chart::Rate),
    (m::RUNTIME_LAG.name, "Runtime lag, p95", "s", Chart::P95),
    (m::PROCESS_MEMORY_USAGE.name, "Memory", "bytes", Chart::Value),
];

/// Cumulative state of a metric, over all its series.
#[derive(Debug, Default, Clone)]
struct Total {
    sum: f64,
    bounds: Vec<f64>,
    counts: Vec<u64>,
}

impl Total {
    /// Returns the total of a metric of units. `None` without a series.
    fn of_units(units: &Snapshot<'_>, metric: UnitMetric) -> Option<Self> {
        let mut total = None;
        units.visit(metric, &mut |_, value| {
            total.get_or_insert_with(Self::default).add_series(metric, value);
        });
        total
    }

    /// Returns the total of a metric of the SDK.
    fn of_sdk(metric: &Metric) -> Self {
        let mut total = Self::default();
        match &metric.data {
            Some(Data::Sum(sum)) => {
                total.sum = sum.data_points.iter().map(|point| number(point.value)).sum();
            }
            Some(Data::Gauge(gauge)) => {
                total.sum = gauge.data_points.iter().map(|point| number(point.value)).sum();
            }
            Some(Data::Histogram(histogram)) => {
                for HistogramDataPoint { sum, explicit_bounds, bucket_counts, .. } in
                    &histogram.data_points
                {
                    total.add(sum.unwrap_or_default(), explicit_bounds, bucket_counts.iter());
                }
            }
            // Without buckets of its own: only the sum is drawn.
            Some(Data::ExponentialHistogram(histogram)) => {
                total.sum = histogram.data_points.iter().filter_map(|point| point.sum).sum();
            }
            _ => {}
        }
        total
    }

    fn add_series(&mut self, metric: UnitMetric, value: SeriesValue<'_>) {
        match value {
            SeriesValue::Count(count) => self.sum += count as f64,
            SeriesValue::InFlight(active) => self.sum += active as f64,
            SeriesValue::Durations(durations) => {
                let bounds = metric.definition().buckets;
                let (bounded, unbounded) = durations.buckets(bounds.len());
                let counts = bounded.iter().chain([&unbounded]);
                self.add(durations.milliseconds(), bounds, counts);
            }
        }
    }

    fn add<'a>(&mut self, sum: f64, bounds: &[f64], counts: impl Iterator<Item = &'a u64>) {
        self.sum += sum;
        if self.counts.is_empty() {
            self.bounds = bounds.to_vec();
            self.counts = vec![0; bounds.len() + 1];
        }
        self.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
}

/// The samples.
#[derive(Debug, Default)]
pub(super) struct HealthHistory {
    last: BTreeMap<&'static str, Total>,
    points: BTreeMap<&'static str, VecDeque<Option<f64>>>,
    errors: Vec<(String, [f64; 2])>,
    slowest: Vec<(String, f64, u64)>,
}

impl HealthHistory {
    /// Adds a sample. The metrics of units need not be in `metrics`.
    pub(super) fn add(&mut self, units: &Snapshot<'_>, metrics: &ResourceMetrics) {
        let request = ExportMetricsServiceRequest::from(metrics);
        let metrics: Vec<&Metric> = request
            .resource_metrics
            .iter()
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| &scope.metrics)
            .collect();
        let is_first = self.points.is_empty();
        for (name, _, _, chart) in CHARTS {
            let of_units = UnitMetric::ALL.into_iter().find(|it| it.definition().name == *name);
            let total = match of_units {
                Some(metric) => Total::of_units(units, metric),
                None => metrics.iter().find(|it| it.name == *name).map(|it| Total::of_sdk(it)),
            };
            let last = self.last.get(name).cloned().unwrap_or_default();
            let point = total.as_ref().and_then(|total| point(*chart, &last, total, is_first));
            let points = self.points.entry(name).or_default();
            points.push_back(point);
            if points.len() > SAMPLES {
                points.pop_front();
            }
            if let Some(total) = total {
                self.last.insert(name, total);
            }
        }
        self.errors = errors(units);
        self.slowest = slowest(units);
    }

    pub(super) fn to_json(&self) -> Value {
        let charts: Vec<_> = CHARTS
            .iter()
            .map(|(name, title, unit, _)| {
                json!({ "metric": name, "title": title, "unit": unit, "points": self.points.get(name) })
            })
            .collect();
        let errors: Vec<_> = self
            .errors
            .iter()
            .map(|(name, [agents, workflows])| {
                json!({ "type": name, "agents": agents, "workflows": workflows })
            })
            .collect();
        let slowest: Vec<_> = self
            .slowest
            .iter()
            .map(|(agent, p95, count)| json!({ "agent": agent, "p95": p95, "count": count }))
            .collect();
        let step = SAMPLE_INTERVAL.as_secs();
        json!({ "step": step, "samples": SAMPLES, "charts": charts, "errors": errors, "slowest": slowest })
    }
}

/// Returns the point of a chart. The first sample has no predecessor: its increase is unknown.
fn point(chart: Chart, last: &Total, total: &Total, is_first: bool) -> Option<f64> {
    let per_minute = 60.0 / SAMPLE_INTERVAL.as_secs_f64();
    match chart {
        Chart::Value => Some(total.sum),
        Chart::Rate | Chart::SumRate if is_first => None,
        Chart::Rate | Chart::SumRate => Some((total.sum - last.sum).max(0.0) * per_minute),
        Chart::P95 => {
            let before = |index: usize| last.counts.get(index).copied().unwrap_or_default();
            let counts = total.counts.iter().enumerate();
            let counts: Vec<u64> =
                counts.map(|(index, count)| count.saturating_sub(before(index))).collect();
            percentile(&total.bounds, &counts, 0.95)
        }
    }
}

fn number(value: Option<number_data_point::Value>) -> f64 {
    match value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => value as f64,
        None => 0.0,
    }
}

/// Returns a percentile, interpolated within its bucket. `None` without a value.
fn percentile(bounds: &[f64], counts: &[u64], part: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let rank = part * all as f64;
    let mut below = 0.0;
    for (index, count) in counts.iter().enumerate() {
        let count = *count as f64;
        if below + count >= rank && count > 0.0 {
            let lower = index.checked_sub(1).and_then(|it| bounds.get(it)).copied().unwrap_or(0.0);
            let upper = bounds.get(index).copied().unwrap_or(lower);
            return Some(lower + (upper - lower) * ((rank - below) / count));
        }
        below += count;
    }
    bounds.last().copied()
}

fn text_of(labels: &[KeyValue], key: &str) -> Option<String> {
    let label = labels.iter().find(|label| label.key.as_str() == key)?;
    Some(cut(&label.value.as_str(), 80))
}

/// Returns the most frequent error types, each with the errors of agents and of workflows.
fn errors(units: &Snapshot<'_>) -> Vec<(String, [f64; 2])> {
    let mut counts: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (place, kind) in [UnitKind::Agent, UnitKind::Workflow].into_iter().enumerate() {
        units.visit(UnitMetric::Errors(kind), &mut |labels, value| {
            if let (Some(error), SeriesValue::Count(count)) =
                (text_of(labels, label::ERROR_TYPE), value)
            {
                counts.entry(error).or_default()[place] += count as f64;
            }
        });
    }
    let sum = |counts: &[f64; 2]| counts.iter().sum::<f64>();
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, counts)| sum(counts) > 0.0).collect();
    counts.sort_by(|(_, left), (_, right)| sum(right).total_cmp(&sum(left)));
    counts.truncate(TOP);
    counts
}

/// Returns the agents with the highest 95th percentile of their durations, in milliseconds.
fn slowest(units: &Snapshot<'_>) -> Vec<(String, f64, u64)> {
    let mut agents: BTreeMap<String, Total> = BTreeMap::new();
    let metric = UnitMetric::Duration(UnitKind::Agent);
    units.visit(metric, &mut |labels, value| {
        if let Some(agent) = text_of(labels, label::AGENT_ID) {
            agents.entry(agent).or_default().add_series(metric, value);
        }
    });
    let mut agents: Vec<_> = agents
        .into_iter()
        .filter_map(|(agent, total)| {
            let count = total.counts.iter().sum();
            Some((agent, percentile(&total.bounds, &total.counts, 0.95)?, count))
        })
        .collect();
    agents.sort_by(|(_, left, _), (_, right, _)| right.total_cmp(left));
    agents.truncate(TOP);
    agents
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint,
    };

    #[test]
    fn a_percentile_is_interpolated_within_its_bucket() {
        let bounds = [10.0, 20.0, 40.0];
        assert_eq!(percentile(&bounds, &[0, 0, 0, 0], 0.95), None);
        assert_eq!(percentile(&bounds, &[10, 0, 0, 0], 0.5), Some(5.0));
        assert_eq!(percentile(&bounds, &[0, 10, 0, 0], 0.5), Some(15.0));
        assert_eq!(percentile(&bounds, &[0, 0, 0, 4], 0.95), Some(40.0));
    }

    #[test]
    fn the_sum_of_an_exponential_histogram_is_read() {
        let point = |sum| ExponentialHistogramDataPoint { sum, ..Default::default() };
        let data_points = vec![point(Some(7.0)), point(None), point(Some(5.0))];
        let histogram = ExponentialHistogram { data_points, ..Default::default() };
        let data = Some(Data::ExponentialHistogram(histogram));
        assert_eq!(Total::of_sdk(&Metric { data, ..Metric::default() }).sum, 12.0);
    }

    #[test]
    fn a_rate_is_the_increase_per_minute_and_unknown_at_first() {
        let total = |sum| Total { sum, ..Total::default() };
        assert_eq!(point(Chart::Rate, &total(0.0), &total(7.0), true), None);
        assert_eq!(point(Chart::Rate, &total(4.0), &total(7.0), false), Some(36.0));
        assert_eq!(point(Chart::Value, &total(4.0), &total(7.0), false), Some(7.0));
    }
}
