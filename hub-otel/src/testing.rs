//! The test kit: what annotated code records, captured without anything global and shown as text.
//!
//! Each [`capture`] has an SDK of its own, found through the OpenTelemetry context of the thread that made it, so tests
//! run side by side in one process.
//!
//! ```
//! #[hub_otel::instrument_workflow(id = "nightly", run_id = "run-7")]
//! async fn nightly() {
//!     scan().await;
//! }
//!
//! #[hub_otel::instrument_agent(id = "scanner", action = "scan", run_id = "run-7/scan")]
//! async fn scan() {}
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let capture = hub_otel::testing::capture();
//! nightly().await;
//! assert_eq!(
//!     capture.spans().names(),
//!     "workflow.execute\n  agent.execute\n",
//! );
//! assert!(capture.metrics().table().contains(
//!     "workflow.runs.total{status=SUCCESS, trigger_type=manual, workflow_id=nightly} 1\n"
//! ));
//! capture.conformance().unwrap();
//! # }
//! ```

#[doc(hidden)]
pub mod bench;
mod conformance;
mod metrics;
mod render;

pub use crate::testing::conformance::Violations;
pub use crate::testing::metrics::{Metrics, Series};
pub use crate::testing::render::{Event, Span, Spans};

use crate::instance;
use crate::instance::{ContextInstanceGuard, Instance};
use crate::options::{Exceptions, Options, Sampling};
use opentelemetry::trace::FutureExt;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::InstrumentKind;
use opentelemetry_sdk::metrics::ManualReader;
use opentelemetry_sdk::metrics::Pipeline;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanProcessor;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

/// Captures what is recorded on this thread until the capture is dropped, and in whatever inherits its context: the
/// annotated functions that are called here, wherever they are polled.
///
/// For code that runs elsewhere: [`Capture::run`].
pub fn capture() -> Capture {
    Settings::default().capture()
}

/// A capture that differs from the defaults: everything sampled, exceptions as span events, no GenAI attributes.
#[derive(Debug, Clone, Copy)]
#[must_use = "call `capture`"]
pub struct Settings {
    options: Options,
    ratio: f64,
    parent_based: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { options: Options::default(), ratio: 1.0, parent_based: false }
    }
}

impl Settings {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// No span is ever recorded.
    pub fn unsampled(mut self) -> Self {
        self.ratio = 0.0;
        self.options.sampling = Sampling::Off;
        self
    }

    /// The share of traces that is recorded.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// The sampler follows the parent's decision.
    pub fn parent_based(mut self) -> Self {
        self.parent_based = true;
        self.options.sampling = Sampling::ParentBased;
        self
    }

    /// `false`: a success leaves the span's status unset.
    pub fn ok_status(mut self, on: bool) -> Self {
        self.options.ok_status = on;
        self
    }

    /// GenAI attributes on every unit.
    pub fn gen_ai(mut self) -> Self {
        self.options.gen_ai = true;
        self
    }

    /// Exceptions as log records, and as span events too when `dup`.
    pub fn exception_logs(mut self, dup: bool) -> Self {
        self.options.exceptions = if dup { Exceptions::Both } else { Exceptions::Log };
        self
    }

    /// Begins to capture.
    pub fn capture(self) -> Capture {
        let spans = Collected::default();
        let root = if self.ratio >= 1.0 {
            Sampler::AlwaysOn
        } else if self.ratio <= 0.0 {
            Sampler::AlwaysOff
        } else {
            Sampler::TraceIdRatioBased(self.ratio)
        };
        let sampler = if self.parent_based { Sampler::ParentBased(Box::new(root)) } else { root };
        let traces = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_span_processor(spans.clone())
            .build();
        let reader = Reader(Arc::new(ManualReader::builder().build()));
        let meters = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        let instance = Instance::new(&traces, &meters, self.options);
        let entered = instance::enter(&instance);
        Capture {
            _entered: entered,
            source: Source { instance, spans, reader, _meters: meters, _traces: traces },
        }
    }
}

/// What was recorded. See [`capture`].
#[must_use = "what is recorded after the capture was dropped is not in it"]
pub struct Capture {
    _entered: instance::EnteredInstance,
    source: Source,
}

struct Source {
    instance: Arc<Instance>,
    spans: Collected,
    reader: Reader,
    _meters: SdkMeterProvider,
    _traces: SdkTracerProvider,
}

impl Capture {
    /// Runs `future` in this capture, on whatever thread it is polled.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let context = instance::root_context(&self.source.instance);
        let travel = ContextInstanceGuard::new();
        async move {
            let output = future.with_context(context).await;
            drop(travel);
            output
        }
    }

    /// The spans that have ended so far.
    pub fn spans(&self) -> Spans {
        Spans::new(&self.source.spans.lock())
    }

    /// The metrics as they stand.
    pub fn metrics(&self) -> Metrics {
        let mut collected = ResourceMetrics::default();
        // A reader fails only once its provider has been shut down, which is ours.
        let _ = self.source.reader.collect(&mut collected);
        Metrics::new(&collected)
    }

    /// How many label values found no series of their own.
    pub fn overflowed(&self) -> u64 {
        self.source.instance.units.overflowed()
    }

    /// Whether everything that was captured is as the contract says: names, types, units, labels, closed sets.
    ///
    /// # Errors
    /// Everything that is not, in words.
    pub fn conformance(&self) -> Result<(), Violations> {
        conformance::check(&self.spans(), &self.metrics())
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("spans", &self.source.spans.lock().len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default)]
struct Collected(Arc<Mutex<Vec<SpanData>>>);

impl Collected {
    fn lock(&self) -> MutexGuard<'_, Vec<SpanData>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanProcessor for Collected {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

    fn on_end(&self, mut span: SpanData) {
        crate::unit::span::dedup_attributes(&mut span);
        self.lock().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Reader(Arc<ManualReader>);

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
