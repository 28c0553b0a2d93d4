//! Instruments with more label sets than they may have: the rest is summed up in one series, and somebody is told.

use crate::export::diagnostics::Voice;
use crate::semconv::attribute::label::{OVERFLOW, OVERFLOW_PROMETHEUS};
use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::AggregatedMetrics;
use opentelemetry_sdk::metrics::data::MetricData;
use opentelemetry_sdk::metrics::data::ResourceMetrics;

/// Says it of each of `names`, once.
pub(crate) fn warn(names: &[String], voice: &Voice) {
    for name in names {
        voice.once(
            &format!("overflow {name}"),
            &format!(
                "{name} has more label sets than it may have; the rest is counted under {OVERFLOW_PROMETHEUS}"
            ),
        );
    }
}

/// The instruments that overflowed.
pub(crate) fn overflowed(metrics: &ResourceMetrics) -> Vec<String> {
    metrics
        .scope_metrics()
        .flat_map(|scope| scope.metrics())
        .filter(|metric| match metric.data() {
            AggregatedMetrics::F64(data) => has_overflow(data),
            AggregatedMetrics::U64(data) => has_overflow(data),
            AggregatedMetrics::I64(data) => has_overflow(data),
        })
        .map(|metric| metric.name().to_owned())
        .collect()
}

fn has_overflow<T: Copy>(data: &MetricData<T>) -> bool {
    fn marks<'a>(mut attributes: impl Iterator<Item = &'a KeyValue>) -> bool {
        attributes.any(|attribute| attribute.key.as_str() == OVERFLOW)
    }
    match data {
        MetricData::Gauge(gauge) => gauge.data_points().any(|point| marks(point.attributes())),
        MetricData::Sum(sum) => sum.data_points().any(|point| marks(point.attributes())),
        MetricData::Histogram(histogram) => {
            histogram.data_points().any(|point| marks(point.attributes()))
        }
        MetricData::ExponentialHistogram(histogram) => {
            histogram.data_points().any(|point| marks(point.attributes()))
        }
    }
}
