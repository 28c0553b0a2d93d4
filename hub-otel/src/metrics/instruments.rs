//! The only place that builds instruments, each from its [`Metric`] definition.
#![expect(clippy::disallowed_methods, reason = "the home of instrument builders")]

use crate::metrics::values::ValueBudget;
use crate::options::Options;
use crate::semconv::attribute::label;
use crate::semconv::{Metric, SCOPE, kv, metric};
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::metrics::Counter;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
#[cfg(feature = "axum")]
use opentelemetry::metrics::UpDownCounter;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Instruments and limits of units. Shared by all label sets of one instance, so that a unit holds
/// nothing but its label set.
pub(crate) struct UnitInstruments {
    workflow: KindInstruments,
    agent: KindInstruments,
    pub(super) retry_reasons: ValueBudget,
    pub(crate) approval_wait: Histogram<f64>,
    pub(super) queue_wait: Histogram<f64>,
    pub(crate) overflow: Overflow,
    /// Read when a unit ends.
    pub(crate) options: Options,
}

/// Instruments and limits of one kind of unit.
pub(super) struct KindInstruments {
    /// Upper bounds of the buckets of durations, in nanoseconds.
    pub(super) bounds: Vec<u64>,
    /// The SDK's histogram of durations. `None` if no reader of the SDK exports it.
    pub(super) duration: Option<Histogram<f64>>,
    pub(super) error_types: ValueBudget,
}

impl KindInstruments {
    fn new(meter: &Meter, options: &Options, sdk_reads_units: bool, duration: &Metric) -> Self {
        Self {
            // Whole milliseconds: the products are exact.
            bounds: duration.buckets.iter().map(|bound| (bound * 1e6) as u64).collect(),
            duration: sdk_reads_units.then(|| build_histogram(meter, duration)),
            error_types: ValueBudget::new(options.max_series()),
        }
    }
}

impl UnitInstruments {
    pub(super) fn new(meter: &Meter, options: Options, sdk_reads_units: bool) -> Self {
        let of_kind = |duration| KindInstruments::new(meter, &options, sdk_reads_units, duration);
        Self {
            workflow: of_kind(&metric::WORKFLOW_DURATION),
            agent: of_kind(&metric::AGENT_DURATION),
            retry_reasons: ValueBudget::new(options.max_series()),
            approval_wait: build_histogram(meter, &metric::WORKFLOW_APPROVAL_WAIT_TIME),
            queue_wait: build_histogram(meter, &metric::WORKFLOW_QUEUE_WAIT_TIME),
            overflow: Overflow::default(),
            options,
        }
    }

    #[inline]
    pub(super) fn of_kind(&self, kind: UnitKind) -> &KindInstruments {
        match kind {
            UnitKind::Workflow => &self.workflow,
            // The label sets of calls have no series.
            UnitKind::Agent | UnitKind::Llm | UnitKind::Tool => &self.agent,
        }
    }
}

/// Counts the label values that were recorded in an overflow series.
#[derive(Default)]
pub(crate) struct Overflow {
    times: AtomicU64,
    warned: AtomicBool,
}

impl Overflow {
    /// Counts one value. Logs a warning the first time.
    #[cold]
    pub(crate) fn count(&self, label: &'static str, value: &str) {
        self.times.fetch_add(1, Ordering::Relaxed);
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: SCOPE,
                "too many values of a metric label: {label} `{value}` and every further one is counted in the series \
                 {}=\"true\"; labels must be stable slugs, never generated ids",
                label::OVERFLOW_PROMETHEUS
            );
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }
}

/// Returns the label of an overflow series
/// ([metrics SDK](https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits), "Overflow attribute").
pub(crate) fn overflow_label() -> KeyValue {
    kv(label::OVERFLOW, true)
}

/// Builds a `u64` counter.
pub(crate) fn build_counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    meter
        .u64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// Builds an `f64` counter.
pub(crate) fn build_f64_counter(meter: &Meter, metric: &Metric) -> Counter<f64> {
    meter
        .f64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// Builds an up-down counter.
#[cfg(feature = "axum")]
pub(crate) fn build_up_down_counter(meter: &Meter, metric: &Metric) -> UpDownCounter<i64> {
    meter
        .i64_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// Builds a histogram with the buckets of its definition.
pub(crate) fn build_histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(metric.buckets.to_vec())
        .build()
}

/// Registers an observable counter of whole items.
pub(crate) fn observe_u64_counter(
    meter: &Meter,
    metric: &Metric,
    callback: impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static,
) {
    meter
        .u64_observable_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback)
        .build();
}

/// Registers an observable counter of seconds.
#[cfg(feature = "process")]
pub(crate) fn observe_f64_counter(
    meter: &Meter,
    metric: &Metric,
    callback: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    meter
        .f64_observable_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback)
        .build();
}

/// Registers an observable up-down counter.
pub(crate) fn observe_i64_up_down_counter(
    meter: &Meter,
    metric: &Metric,
    callback: impl Fn(&dyn AsyncInstrument<i64>) + Send + Sync + 'static,
) {
    meter
        .i64_observable_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback)
        .build();
}

/// Registers an observable gauge of seconds.
pub(crate) fn observe_f64_gauge(
    meter: &Meter,
    metric: &Metric,
    callback: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    meter
        .f64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback)
        .build();
}

/// Registers an observable gauge of bytes.
#[cfg(feature = "process")]
pub(crate) fn observe_u64_gauge(
    meter: &Meter,
    metric: &Metric,
    callback: impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static,
) {
    meter
        .u64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback)
        .build();
}

/// Returns a callback that observes one value without labels. The series is absent while `read`
/// returns `None`.
#[cfg(feature = "process")]
pub(crate) fn observe_if_some<T>(
    read: impl Fn() -> Option<T> + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    move |observer| {
        if let Some(value) = read() {
            observer.observe(value, &[]);
        }
    }
}
