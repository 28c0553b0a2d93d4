//! Definition of a metric: instrument, unit, labels, buckets, the name in Prometheus, stability.

/// Definition of a metric.
///
/// ```
/// let durations: Vec<_> = hub_otel::semconv::METRICS
///     .iter()
///     .filter(|metric| metric.unit == "ms")
///     .map(|metric| metric.prometheus)
///     .collect();
/// assert!(durations.contains(&"workflow_duration_milliseconds"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// OpenTelemetry name.
    pub name: &'static str,
    /// Kind of instrument.
    pub kind: InstrumentKind,
    /// Unit in UCUM notation.
    pub unit: &'static str,
    /// Description in one sentence, shown as HELP in Prometheus.
    pub description: &'static str,
    /// Labels, without the target's labels (`service_name`, `service_namespace`) and `le`.
    pub labels: &'static [&'static str],
    /// Upper bounds of the buckets of a histogram; empty for other instruments.
    pub buckets: &'static [f64],
    /// Name of the metric family in Prometheus, the same for scraped and for pushed metrics.
    pub prometheus: &'static str,
    /// Stability of the name.
    pub stability: Stability,
}

/// Kind of instrument of a [`Metric`].
///
/// ```
/// use hub_otel::semconv::{InstrumentKind, METRICS};
///
/// // Only histograms have buckets.
/// assert!(METRICS.iter().all(|metric| {
///     metric.buckets.is_empty() || metric.kind == InstrumentKind::Histogram
/// }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentKind {
    /// Monotonic sum. `f64` if the unit is `s` or `{USD}`, otherwise `u64`.
    Counter,
    /// Non-monotonic sum, additive across processes. `i64`.
    UpDownCounter,
    /// Distribution of values. `f64`.
    Histogram,
    /// Current value. `u64` if the unit is `By`, otherwise `f64`.
    Gauge,
}

/// Stability of the name of a [`Metric`].
///
/// ```
/// use hub_otel::semconv::{METRICS, Stability};
///
/// let fixed = METRICS.iter().filter(|metric| metric.stability == Stability::Fixed);
/// assert_eq!(fixed.count(), 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// Never renamed, whatever the semantic conventions define for the same purpose.
    Fixed,
    /// Renamed only with a major version.
    Stable,
}
