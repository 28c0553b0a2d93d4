//! SDK of all scenarios: a sampler, a span processor and a metric reader. For measurements, spans
//! are dropped and metrics are not read; for comparisons, both are stored.

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality,
};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// Span processor that drops spans.
#[derive(Debug)]
pub struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}
    fn on_end(&self, span: SpanData) {
        drop(std::hint::black_box(span));
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Span processor that stores spans.
#[derive(Debug, Clone, Default)]
pub struct Keep(Arc<Mutex<Vec<SpanData>>>);

impl Keep {
    pub fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut *self.0.lock().expect("no test panics in here"))
    }
}

impl SpanProcessor for Keep {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}
    fn on_end(&self, span: SpanData) {
        self.0.lock().expect("no test panics in here").push(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Metric reader that can be collected after it has been registered with the provider.
#[derive(Debug, Clone)]
pub struct Reader(Arc<ManualReader>);

impl Default for Reader {
    fn default() -> Self {
        Self(Arc::new(ManualReader::builder().build()))
    }
}

impl Reader {
    pub fn collect(&self) -> ResourceMetrics {
        let mut collected = ResourceMetrics::default();
        MetricReader::collect(self, &mut collected).expect("the provider lives");
        collected
    }
}

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }
    fn collect(&self, collected: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(collected)
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

pub fn traces(sampled: bool, processor: impl SpanProcessor + 'static) -> SdkTracerProvider {
    let sampler = if sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
    SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(processor).build()
}

pub fn metrics(reader: Reader) -> SdkMeterProvider {
    SdkMeterProvider::builder().with_reader(reader).build()
}
