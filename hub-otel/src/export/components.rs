//! SDK components of the application: those that it gives to the builder.
//!
//! Their code runs inside of telemetry: a panic in it is contained and reported once, and an
//! exporter runs on a blocking thread of the export runtime, so that it may block.

pub(crate) mod exporters;
pub(crate) mod ids;
pub(crate) mod log_processors;
pub(crate) mod metric_push;
pub(crate) mod metric_readers;
pub(crate) mod named;
mod processor_chain;
pub(crate) mod sampler;
pub(crate) mod span_processors;

use crate::contain::contain;
use crate::export::components::exporters::{ErasedExporter, LogItem};
use crate::export::components::metric_push::ErasedMetricExporter;
use crate::export::components::named::Named;
use crate::export::diagnostics::write_line;
use crate::propagation::custom::SharedPropagator;
use opentelemetry_sdk::logs::LogProcessor;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{Instrument, Stream};
use opentelemetry_sdk::resource::ResourceDetector;
use opentelemetry_sdk::trace::{IdGenerator, ShouldSample, SpanData, SpanProcessor};
use std::sync::Arc;

/// The components that the builder was given, in the order of its calls.
#[derive(Default)]
pub(crate) struct Components {
    pub(crate) span_processors: Vec<Named<Box<dyn SpanProcessor>>>,
    pub(crate) span_exporters: Vec<Named<Box<dyn ErasedExporter<SpanData>>>>,
    pub(crate) log_processors: Vec<Named<Box<dyn LogProcessor>>>,
    pub(crate) log_exporters: Vec<Named<Box<dyn ErasedExporter<LogItem>>>>,
    pub(crate) metric_exporters: Vec<Named<Box<dyn ErasedMetricExporter>>>,
    pub(crate) metric_readers: Vec<Named<Arc<dyn MetricReader>>>,
    pub(crate) views: Vec<MetricView>,
    pub(crate) sampler: Option<Box<dyn ShouldSample>>,
    pub(crate) id_generator: Option<Box<dyn IdGenerator>>,
    pub(crate) detectors: Vec<Named<Box<dyn ResourceDetector + Send + Sync>>>,
    pub(crate) propagators: Vec<SharedPropagator>,
}

impl Components {
    /// Returns whether one of them sees the spans, or decides about them.
    pub(crate) fn has_spans(&self) -> bool {
        self.sampler.is_some()
            || self.id_generator.is_some()
            || !self.span_processors.is_empty()
            || !self.span_exporters.is_empty()
    }
}

/// A view: the streams of the instruments that it matches.
pub(crate) type MetricView = Arc<dyn Fn(&Instrument) -> Option<Stream> + Send + Sync>;

/// Returns the streams of a view. A view that panics matches nothing.
pub(crate) fn apply_view(view: &MetricView, instrument: &Instrument) -> Option<Stream> {
    contain(|| view(instrument)).unwrap_or_else(|| {
        write_line(&format!("a view panicked for the instrument `{}`", instrument.name()));
        None
    })
}
