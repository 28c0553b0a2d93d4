//! The ledger as a metric, so that a loss shows while OTLP is down.

use crate::config::Signal;
use crate::export::accounting::{Ledger, reason};
use crate::metrics::instruments;
use crate::semconv::attribute::label;
use crate::semconv::{kv, metric};
use opentelemetry::metrics::Meter;
use std::sync::Arc;

/// Registers `hub_otel.export.items` over `ledgers`.
pub(crate) fn observe(meter: &Meter, ledgers: Vec<(Signal, Arc<Ledger>)>) {
    if ledgers.is_empty() {
        return;
    }
    // The SDK keeps the callback for as long as the provider lives; the instrument itself need not be kept.
    instruments::observe_u64_counter(meter, &metric::EXPORT_ITEMS, move |observer| {
        for (signal, ledger) in &ledgers {
            let report = ledger.report();
            let observe = |result: &'static str, reason: Option<String>, count: u64| {
                let mut labels =
                    vec![kv(label::SIGNAL, signal.as_str()), kv(label::RESULT, result)];
                labels.extend(reason.map(|reason| kv(label::REASON, reason)));
                observer.observe(count, &labels);
            };
            observe("ok", None, report.ok);
            observe("rejected", None, report.rejected);
            if report.failures.is_empty() {
                observe("failed", None, 0);
            }
            for (reason, count) in report.failures {
                observe("failed", Some(reason), count);
            }
            for known in reason::DROPS {
                let count = report.dropped.get(known).copied().unwrap_or(0);
                observe("dropped", Some(known.to_owned()), count);
            }
        }
    });
}
