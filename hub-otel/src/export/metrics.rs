//! Metrics: one provider, read by whoever asks — `/metrics`, the push to the Collector, the console.

#[cfg(feature = "prometheus")]
pub(crate) mod families;
pub(crate) mod overflow;
pub(crate) mod periodic_push;
#[cfg(feature = "prometheus")]
pub(crate) mod prometheus;
pub(crate) mod self_metrics;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Aggregation;
use opentelemetry_sdk::metrics::Instrument;
use opentelemetry_sdk::metrics::InstrumentKind;
use opentelemetry_sdk::metrics::ManualReader;
use opentelemetry_sdk::metrics::Pipeline;
use opentelemetry_sdk::metrics::Stream;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

/// A reader that this library asks when it wants to. The SDK's own periodic reader has a thread of its own that a
/// panicking callback kills, and a shutdown without a timeout.
#[derive(Debug, Clone)]
pub(crate) struct OnDemand(Arc<ManualReader>);

impl OnDemand {
    pub(crate) fn new(temporality: Temporality) -> Self {
        Self(Arc::new(ManualReader::builder().with_temporality(temporality).build()))
    }

    /// Reads every instrument, now. May take as long as the slowest callback of the user's.
    pub(crate) fn read(&self) -> Option<ResourceMetrics> {
        let mut metrics = ResourceMetrics::default();
        self.0.collect(&mut metrics).ok()?;
        Some(metrics)
    }
}

impl MetricReader for OnDemand {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
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

/// The SDK's metrics about itself are not part of the contract.
pub(crate) fn without_the_sdks_own(instrument: &Instrument) -> Option<Stream> {
    let is_the_sdks = instrument.name().starts_with("otel.sdk.");
    is_the_sdks
        .then(|| Stream::builder().with_aggregation(Aggregation::Drop).build().ok())
        .flatten()
}
