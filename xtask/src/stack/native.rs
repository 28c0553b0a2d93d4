//! Counts of native histograms under the names of classic ones.
//!
//! Prometheus stores a pushed exponential histogram as one series without `_count`, `_sum` and
//! `_bucket`. The rules of this group record the first two, so that each rule on them reads both
//! kinds. Percentiles are read from [`crate::stack::increments`].

use crate::promql::{Origin, Series};
use crate::stack::rule::Rule;
use hub_otel::semconv::{InstrumentKind, METRICS, Metric, metric as m};

/// Rule group and file.
pub const GROUP: &str = "native_histograms";

/// Runs that took less than two minutes, interpolated inside of the bucket of two minutes.
pub const IN_TIME: &str = "workflow:duration_in_time:count";

/// Returns the histograms of the contract.
pub fn histograms() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().filter(|metric| metric.kind == InstrumentKind::Histogram)
}

/// Selects the runs that took less than two minutes.
#[must_use]
pub fn in_time() -> Series {
    Series::own(IN_TIME, Origin::Service)
}

/// Returns the rules.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let durations = Series::native(&m::WORKFLOW_DURATION);
    // Whole runs: a decrease by a rounding error would be a restart.
    let in_time = format!(
        "round(histogram_fraction(-Inf, 120000, {durations}) * histogram_count({durations}))"
    );
    let parts = histograms().flat_map(|metric| {
        let native = Series::native(metric);
        let part = |part: &str, of| Rule::record(of, format!("histogram_{part}({native})"));
        [
            part("count", Series::count(metric).to_string()),
            part("sum", Series::sum(metric).to_string()),
        ]
    });
    parts.chain([Rule::record(IN_TIME, in_time)]).collect()
}
