//! From a [`Metric`] of the contract to an instrument: the one home of instrument builders.
#![expect(clippy::disallowed_methods, reason = "the home of instrument builders")]

use crate::semconv::Metric;
use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::metrics::Counter;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::ObservableCounter;
use opentelemetry::metrics::UpDownCounter;

/// A counter of whole things.
pub(crate) fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    meter
        .u64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// A count of what is there now.
pub(crate) fn up_down_counter(meter: &Meter, metric: &Metric) -> UpDownCounter<i64> {
    meter
        .i64_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// A distribution over the contract's buckets.
pub(crate) fn histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(metric.buckets.to_vec())
        .build()
}

/// A counter of seconds that `read` observes.
#[cfg(feature = "process")]
pub(crate) fn observe_seconds(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    meter
        .f64_observable_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(read)
        .build();
}

/// A count of what is there now; `None` leaves it absent.
#[cfg(feature = "process")]
pub(crate) fn observe_level(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn() -> Option<i64> + Send + Sync + 'static,
) {
    meter
        .i64_observable_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(move |observer| {
            if let Some(value) = read() {
                observer.observe(value, &[]);
            }
        })
        .build();
}

/// A value of now; `None` leaves it absent.
#[cfg(feature = "process")]
pub(crate) fn observe_gauge(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn() -> Option<f64> + Send + Sync + 'static,
) {
    meter
        .f64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(move |observer| {
            if let Some(value) = read() {
                observer.observe(value, &[]);
            }
        })
        .build();
}

/// Bytes of now; `None` leaves them absent.
#[cfg(feature = "process")]
pub(crate) fn observe_bytes(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn() -> Option<u64> + Send + Sync + 'static,
) {
    meter
        .u64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(move |observer| {
            if let Some(value) = read() {
                observer.observe(value, &[]);
            }
        })
        .build();
}

/// A counter that is kept elsewhere and read when somebody asks.
pub(crate) fn observable_counter(
    meter: &Meter,
    metric: &Metric,
    callback: impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static,
) -> ObservableCounter<u64> {
    meter
        .u64_observable_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback)
        .build()
}

/// Counts of what is there now, by label.
pub(crate) fn observe_levels(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<i64>) + Send + Sync + 'static,
) {
    meter
        .i64_observable_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(read)
        .build();
}

/// Values of now, by label.
pub(crate) fn observe_gauges(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    meter
        .f64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(read)
        .build();
}
