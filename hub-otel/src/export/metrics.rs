//! Metrics export: one meter provider with a reader for `/metrics` and one for push and console.

#[cfg(feature = "prometheus")]
pub(crate) mod families;
#[cfg(any(feature = "prometheus", feature = "live"))]
pub(crate) mod host;
pub(crate) mod isolated_meters;
pub(crate) mod observers;
pub(crate) mod periodic_push;
#[cfg(feature = "prometheus")]
pub(crate) mod prometheus;
#[cfg(feature = "prometheus")]
pub(crate) mod scrapes;
pub(crate) mod self_metrics;

use crate::config::{Config, HistogramAggregation};
use crate::export::diagnostics::Diagnostics;
use crate::metrics::snapshot::UnitMetric;
use crate::options::DEFAULT_MAX_LABEL_SETS;
use crate::semconv::status;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Aggregation;
use opentelemetry_sdk::metrics::Instrument;
use opentelemetry_sdk::metrics::InstrumentKind;
use opentelemetry_sdk::metrics::ManualReader;
use opentelemetry_sdk::metrics::Pipeline as SdkPipeline;
use opentelemetry_sdk::metrics::Stream;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

/// A reader that is collected on request.
///
/// The SDK's periodic reader is not used: a panic in a callback ends its thread, and its shutdown
/// has no timeout.
#[derive(Debug, Clone)]
pub(crate) struct ManualMetricReader(Arc<ManualReader>);

impl ManualMetricReader {
    pub(crate) fn new(temporality: Temporality) -> Self {
        Self(Arc::new(ManualReader::builder().with_temporality(temporality).build()))
    }

    /// Collects all instruments. Runs no code of the application: its callbacks ran before
    /// ([`observers::Observers::run_all`]).
    ///
    /// # Errors
    /// The SDK failed, for example because of a panic inside it.
    pub(crate) fn read(&self) -> Result<ResourceMetrics, String> {
        let mut metrics = ResourceMetrics::default();
        match catch_unwind(AssertUnwindSafe(|| self.0.collect(&mut metrics))) {
            Ok(Ok(())) => Ok(metrics),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the collection panicked".to_owned()),
        }
    }
}

/// Logs a failed collection, once.
pub(crate) fn warn_failed_collection(error: &str, diagnostics: &Diagnostics) {
    diagnostics.log_once(
        "collection",
        &format!("the metrics cannot be collected, none are exported: {error}"),
    );
}

impl MetricReader for ManualMetricReader {
    fn register_pipeline(&self, pipeline: Weak<SdkPipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// A view that drops the SDK's metrics about itself: they are not in the semantic conventions of
/// this crate.
pub(crate) fn drop_sdk_metrics(instrument: &Instrument) -> Option<Stream> {
    if !instrument.name().starts_with(OF_SDK) {
        return None;
    }
    Stream::builder().with_aggregation(Aggregation::Drop).build().ok()
}

/// Returns a view that raises the SDK's limit of series for the metrics of units, if the cap of
/// label sets needs it, and makes histograms exponential, if that is configured.
pub(crate) fn configured_view(
    config: &Config,
) -> impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static {
    let cap = *config.max_label_sets;
    let series = (cap > DEFAULT_MAX_LABEL_SETS).then(|| cap * status::TERMINAL.len() + 1);
    let is_exponential = *config.histograms == HistogramAggregation::Exponential;
    move |instrument: &Instrument| {
        let is_of_units =
            || UnitMetric::ALL.iter().any(|metric| metric.definition().name == instrument.name());
        let limit = series.filter(|_| is_of_units());
        let is_exponential = is_exponential
            && instrument.kind() == InstrumentKind::Histogram
            && !instrument.name().starts_with(OF_SDK);
        if limit.is_none() && !is_exponential {
            return None;
        }
        let mut stream = Stream::builder();
        if let Some(limit) = limit {
            stream = stream.with_cardinality_limit(limit);
        }
        if is_exponential {
            stream = stream.with_aggregation(EXPONENTIAL);
        }
        stream.build().ok()
    }
}

/// The default parameters of the specification (metrics SDK, "Base2 Exponential Bucket Histogram
/// Aggregation").
const EXPONENTIAL: Aggregation =
    Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
/// First part of the names of the SDK's metrics about itself.
const OF_SDK: &str = "otel.sdk.";
