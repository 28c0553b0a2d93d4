//! Metrics about the export itself: the delivery counts as `hub_otel.export.items`, and the
//! detection of instruments over their cardinality limit.

use crate::config::signal::Signal;
use crate::export::accounting::Accounting;
use crate::export::diagnostics::Diagnostics;
use crate::metrics::instruments;
use crate::semconv::attribute::label;
use crate::semconv::attribute::label::{OVERFLOW, OVERFLOW_PROMETHEUS};
use crate::semconv::{drop_reason, kv, metric, result};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use opentelemetry_sdk::metrics::data::AggregatedMetrics;
use opentelemetry_sdk::metrics::data::MetricData;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::sync::Arc;

/// Registers `hub_otel.export.items`, so that a loss is visible on `/metrics` while OTLP fails.
pub(crate) fn observe_accounting(meter: &Meter, accounting: Vec<(Signal, Arc<Accounting>)>) {
    if accounting.is_empty() {
        return;
    }
    instruments::observe_u64_counter(meter, &metric::EXPORT_ITEMS, move |observer| {
        for (signal, counts) in &accounting {
            let report = counts.report();
            let observe = |result: &'static str, reason: Option<String>, count: u64| {
                let mut labels =
                    vec![kv(label::SIGNAL, signal.as_str()), kv(label::RESULT, result)];
                labels.extend(reason.map(|reason| kv(label::REASON, reason)));
                observer.observe(count, &labels);
            };
            observe(result::OK, None, report.ok);
            observe(result::REJECTED, None, report.rejected);
            if report.failures.is_empty() {
                observe(result::FAILED, None, 0);
            }
            for (reason, count) in report.failures {
                observe(result::FAILED, Some(reason), count);
            }
            for reason in drop_reason::ALL {
                let count = report.dropped.get(reason).copied().unwrap_or(0);
                observe(result::DROPPED, Some(reason.to_owned()), count);
            }
        }
    });
}

/// Logs one warning per instrument in `names`, once.
pub(crate) fn warn_overflow(names: &[String], diagnostics: &Diagnostics) {
    for name in names {
        diagnostics.log_once(
            &format!("overflow {name}"),
            &format!(
                "{name} has more label sets than the limit; further ones are counted under \
                 {OVERFLOW_PROMETHEUS}"
            ),
        );
    }
}

/// Returns the names of the instruments with an overflow series (metrics SDK specification,
/// "Cardinality limits").
pub(crate) fn overflowed_instruments(metrics: &ResourceMetrics) -> Vec<String> {
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
    fn is_overflow<'a>(mut attributes: impl Iterator<Item = &'a KeyValue>) -> bool {
        attributes.any(|attribute| attribute.key.as_str() == OVERFLOW)
    }
    match data {
        MetricData::Gauge(gauge) => {
            gauge.data_points().any(|point| is_overflow(point.attributes()))
        }
        MetricData::Sum(sum) => sum.data_points().any(|point| is_overflow(point.attributes())),
        MetricData::Histogram(histogram) => {
            histogram.data_points().any(|point| is_overflow(point.attributes()))
        }
        MetricData::ExponentialHistogram(histogram) => {
            histogram.data_points().any(|point| is_overflow(point.attributes()))
        }
    }
}
