//! Metrics about the export itself and about the process: the delivery counts as
//! `hub_otel.export.items`, uptime and orderly end, the oldest run in progress, and the detection
//! of instruments over their cardinality limit.

use crate::export::delivery::Delivery;
use crate::export::diagnostics::Diagnostics;
use crate::export::runtime::ExportPhase;
use crate::metrics::{instruments, overflow_label};
#[cfg(feature = "process")]
use crate::process::process_start;
use crate::semconv::attribute::label;
use crate::semconv::attribute::label::{OVERFLOW, OVERFLOW_PROMETHEUS};
use crate::semconv::{drop_reason, kv, metric, result};
use crate::unit::open_units::{OpenUnits, OpenWorkflow};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use opentelemetry_sdk::metrics::data::AggregatedMetrics;
use opentelemetry_sdk::metrics::data::MetricData;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
#[cfg(not(feature = "process"))]
use std::time::Instant;
use tokio::sync::watch;

/// Registers `hub_otel.export.items`, so that a loss is visible on `/metrics` while OTLP fails.
pub(crate) fn observe_accounting(meter: &Meter, deliveries: Vec<Delivery>) {
    if deliveries.is_empty() {
        return;
    }
    instruments::observe_u64_counter(meter, &metric::EXPORT_ITEMS, move |observer| {
        for Delivery { signal, exporter, accounting } in &deliveries {
            let report = accounting.report();
            let observe = |result: &'static str, reason: Option<String>, count: u64| {
                let mut labels =
                    vec![kv(label::SIGNAL, signal.as_str()), kv(label::RESULT, result)];
                labels.extend(reason.map(|reason| kv(label::REASON, reason)));
                labels.extend(exporter.clone().map(|name| kv(label::EXPORTER, name)));
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

/// Registers `process.uptime` and `hub_otel.up`. Alerts distinguish by them a process that was
/// killed from one that ended in order.
pub(crate) fn observe_liveness(meter: &Meter, phase: watch::Receiver<ExportPhase>) {
    let started = process_start();
    instruments::observe_f64_gauge(meter, &metric::PROCESS_UPTIME, move |observer| {
        observer.observe(started.elapsed().as_secs_f64(), &[]);
    });
    instruments::observe_f64_gauge(meter, &metric::INSTANCE_UP, move |observer| {
        let running = matches!(*phase.borrow(), ExportPhase::Running);
        observer.observe(f64::from(u8::from(running)), &[]);
    });
}

/// Returns the time of the first call.
#[cfg(not(feature = "process"))]
fn process_start() -> Instant {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}

/// Registers `workflow.run.oldest_age`. A workflow that was observed once is reported as 0 when
/// none of its runs is open, because its series would keep the last value.
pub(crate) fn observe_open_workflows(meter: &Meter, open_units: Arc<OpenUnits>) {
    // Without an id: the overflow series, which label sets beyond the cap share.
    let oldest: Mutex<BTreeMap<Option<String>, Duration>> = Mutex::default();
    instruments::observe_f64_gauge(meter, &metric::WORKFLOW_RUN_OLDEST_AGE, move |observer| {
        let mut oldest = oldest.lock().unwrap_or_else(PoisonError::into_inner);
        oldest.values_mut().for_each(|age| *age = Duration::ZERO);
        for OpenWorkflow { label_set, executed } in open_units.workflows() {
            let id = (!label_set.overflowing).then(|| label_set.id.as_str().to_owned());
            let age = oldest.entry(id).or_default();
            *age = (*age).max(executed);
        }
        for (id, age) in &*oldest {
            let id = id.clone().map_or_else(overflow_label, |id| kv(label::WORKFLOW_ID, id));
            observer.observe(age.as_secs_f64(), &[id]);
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
