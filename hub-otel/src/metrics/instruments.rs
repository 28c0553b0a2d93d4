//! The only place that builds instruments, each from its [`Metric`] definition.
#![expect(clippy::disallowed_methods, reason = "the home of instrument builders")]

use crate::options::Options;
use crate::semconv::attribute::label;
use crate::semconv::{Metric, SCOPE, kv, metric};
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::metrics::Counter;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::UpDownCounter;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Instruments of units. Shared by all label sets of one instance, so that a unit holds nothing but
/// its label set.
pub(crate) struct UnitInstruments {
    workflow: KindInstruments,
    agent: KindInstruments,
    pub(crate) workflows_active: UpDownCounter<i64>,
    pub(crate) agent_retries: Counter<u64>,
    pub(crate) approval_wait: Histogram<f64>,
    pub(crate) overflow: Overflow,
    /// Read when a unit ends.
    pub(crate) options: Options,
}

/// Instruments recorded at the end of a unit.
pub(crate) struct KindInstruments {
    pub(crate) runs: Counter<u64>,
    pub(crate) duration: Histogram<f64>,
    pub(crate) errors: Counter<u64>,
}

impl UnitInstruments {
    pub(crate) fn new(meter: &Meter, options: Options) -> Self {
        Self {
            workflow: KindInstruments {
                runs: build_counter(meter, &metric::WORKFLOW_RUNS),
                duration: build_histogram(meter, &metric::WORKFLOW_DURATION),
                errors: build_counter(meter, &metric::WORKFLOW_ERRORS),
            },
            agent: KindInstruments {
                runs: build_counter(meter, &metric::AGENT_RUNS),
                duration: build_histogram(meter, &metric::AGENT_DURATION),
                errors: build_counter(meter, &metric::AGENT_ERRORS),
            },
            workflows_active: build_up_down_counter(meter, &metric::WORKFLOWS_ACTIVE),
            agent_retries: build_counter(meter, &metric::AGENT_RETRIES),
            approval_wait: build_histogram(meter, &metric::WORKFLOW_APPROVAL_WAIT_TIME),
            overflow: Overflow::default(),
            options,
        }
    }

    pub(crate) fn of_kind(&self, kind: UnitKind) -> &KindInstruments {
        match kind {
            UnitKind::Workflow => &self.workflow,
            UnitKind::Agent => &self.agent,
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

/// Builds an up-down counter.
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
