//! The series of one family: points of equal labels become one series, or differ in their scope.

use crate::export::metrics::families::names::{Labels, SCOPE_LABEL};
use crate::metrics::snapshot::SeriesValue;
use crate::semconv::Metric as Definition;
use crate::semconv::SCOPE;
use prometheus::proto::Bucket;
use prometheus::proto::Counter;
use prometheus::proto::Gauge;
use prometheus::proto::Histogram;
use prometheus::proto::LabelPair;
use prometheus::proto::Metric;
use std::collections::BTreeMap;

/// A point of one instrument.
pub(super) struct Point {
    pub(super) labels: Labels,
    /// The name of the meter.
    pub(super) scope: String,
    pub(super) value: PointValue,
}

pub(super) enum PointValue {
    Gauge(f64),
    Sum {
        value: f64,
        is_monotonic: bool,
    },
    /// `counts` has one count more than there are bounds.
    Histogram {
        bounds: Vec<f64>,
        counts: Vec<u64>,
        count: u64,
        sum: f64,
    },
}

impl PointValue {
    /// Returns the value of a series of units.
    pub(super) fn of_units(value: SeriesValue<'_>, definition: &Definition) -> Self {
        match value {
            SeriesValue::Count(count) => Self::Sum { value: count as f64, is_monotonic: true },
            SeriesValue::InFlight(active) => {
                Self::Sum { value: active as f64, is_monotonic: false }
            }
            SeriesValue::Durations(durations) => Self::Histogram {
                bounds: definition.buckets.to_vec(),
                counts: {
                    let (bounded, unbounded) = durations.buckets(definition.buckets.len());
                    [bounded, &[unbounded]].concat()
                },
                count: durations.count(),
                sum: durations.milliseconds(),
            },
        }
    }

    /// Adds `other`. Returns it if the two have no sum: gauges, or histograms of other buckets.
    fn add(&mut self, other: Self) -> Result<(), Self> {
        match (self, other) {
            (Self::Sum { value, .. }, Self::Sum { value: other, .. }) => *value += other,
            (
                Self::Histogram { bounds, counts, count, sum },
                Self::Histogram {
                    bounds: other_bounds,
                    counts: other_counts,
                    count: other_count,
                    sum: other_sum,
                },
            ) if *bounds == other_bounds => {
                counts.iter_mut().zip(other_counts).for_each(|(count, other)| *count += other);
                *count += other_count;
                *sum += other_sum;
            }
            (_, other) => return Err(other),
        }
        Ok(())
    }
}

/// Merges points of equal labels. Returns the series, and the conflict that remained: it completes
/// a sentence that begins with the name of the family.
pub(super) fn merge_series(points: Vec<Point>) -> (Vec<Metric>, Option<String>) {
    let mut by_labels: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
    for point in points {
        let alike = by_labels.entry(point.labels.clone()).or_default();
        let mut unmerged = Some(point);
        for other in alike.iter_mut() {
            let Some(Point { labels, scope, value }) = unmerged.take() else { break };
            if let Err(value) = other.value.add(value) {
                unmerged = Some(Point { labels, scope, value });
            }
        }
        alike.extend(unmerged);
    }
    let mut conflict = None;
    let mut series = Vec::new();
    for alike in by_labels.into_values() {
        if alike.len() > 1 {
            let scopes: Vec<_> = alike.iter().map(|point| format!("`{}`", point.scope)).collect();
            conflict = Some(format!(
                "has series of equal labels that have no sum, by the meters {}: they get the label \
                 {SCOPE_LABEL}, and one per meter is served; rename an instrument or a label",
                scopes.join(", ")
            ));
            let mut scopes = Vec::new();
            for mut point in alike {
                if !scopes.contains(&point.scope) {
                    scopes.push(point.scope.clone());
                    // The series of this crate keep their labels.
                    if point.scope != SCOPE {
                        point.labels.push((SCOPE_LABEL.to_owned(), point.scope.clone()));
                    }
                    series.push(convert(point));
                }
            }
        } else {
            series.extend(alike.into_iter().map(convert));
        }
    }
    (series, conflict)
}

fn convert(point: Point) -> Metric {
    let mut metric = Metric::default();
    let labels = point.labels.into_iter().map(|(name, value)| {
        let mut label = LabelPair::default();
        label.set_name(name);
        label.set_value(value);
        label
    });
    metric.set_label(labels.collect());
    match point.value {
        PointValue::Sum { value, is_monotonic: true } => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        PointValue::Gauge(value) | PointValue::Sum { value, is_monotonic: false } => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        PointValue::Histogram { bounds, counts, count, sum } => {
            let mut cumulative = 0;
            let buckets = bounds.iter().zip(counts).map(|(bound, count)| {
                cumulative += count;
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(cumulative);
                bucket
            });
            let mut histogram = Histogram::default();
            histogram.set_bucket(buckets.collect());
            histogram.set_sample_count(count);
            histogram.set_sample_sum(sum);
            metric.set_histogram(histogram);
        }
    }
    metric
}
