//! Captures: an SDK that keeps what is recorded, and the scope in which code records into it.

use crate::config::sampler::ValueLimit;
use crate::export::unit_spans::{RecordedUnitSpans, record_limits};
use crate::gen_ai::content::{ContentLimits, ContentPolicy, MAX_CONTENT_BYTES};
use crate::gen_ai::prices::Prices;
use crate::gen_ai::recorder::GenAiRecorder;
use crate::instance;
use crate::instance::{ContextInstanceGuard, Instance};
use crate::options::{Exceptions, GenAiNames, Options, Sampling};
use crate::telemetry::redaction::is_secret;
use crate::testing::conformance;
use crate::testing::conformance::Violations;
use crate::testing::metrics::Metrics;
use crate::testing::process_wide::ProcessWide;
use crate::testing::render::Spans;
use crate::testing::span::Span;
use crate::unit::foreign_call::record_foreign_call;
use crate::unit::span_facts::keep_last;
use opentelemetry::trace::FutureExt;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::InstrumentKind;
use opentelemetry_sdk::metrics::ManualReader;
use opentelemetry_sdk::metrics::Pipeline;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::trace::ParentBasedSampler;
use opentelemetry_sdk::trace::RandomIdGenerator;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::ShouldSample;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanLimits;
use opentelemetry_sdk::trace::SpanProcessor;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

/// Starts a capture of this thread with the default [`Settings`].
///
/// It lasts until the returned guard is dropped and covers the instrumented functions that are
/// called on this thread, on whichever thread they are polled. For other work: [`Capture::run`],
/// [`capture_global`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// hub_otel::workflow("nightly").run(async {}).await;
/// assert_eq!(capture.spans().names(), "workflow.execute\n");
/// # }
/// ```
pub fn capture() -> Capture {
    Settings::default().capture()
}

/// Starts a capture of the whole process with the default [`Settings`].
///
/// See [`Settings::capture_global`] for its limits.
///
/// ```
/// # use hub_otel::otel::opentelemetry;
/// use opentelemetry::trace::Tracer;
///
/// #[hub_otel::instrument_workflow]
/// fn nightly() {
///     opentelemetry::global::tracer("my-crate").in_span("a span of my own", |_| ());
/// }
///
/// let capture = hub_otel::testing::capture_global();
/// std::thread::spawn(nightly).join().unwrap();
/// assert_eq!(capture.spans().names(), "workflow.execute\n  a span of my own\n");
/// ```
pub fn capture_global() -> Capture {
    Settings::default().capture_global()
}

/// Settings of a capture.
///
/// The defaults sample every span, record exceptions as span events, set no GenAI attributes and
/// report agents outside a workflow as violations.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::Settings::new().unsampled().capture();
/// hub_otel::workflow("nightly").run(async {}).await;
/// assert!(capture.spans().is_empty());
/// assert_eq!(capture.metrics().value("workflow.runs.total", &[("status", "SUCCESS")]), 1.0);
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "call `capture` or `capture_global`"]
pub struct Settings {
    options: Options,
    ratio: f64,
    parent_based: bool,
    root_agents: bool,
    content: bool,
}

impl Default for Settings {
    fn default() -> Self {
        // Without the GenAI attributes: the trees that tests compare stay short.
        let options = Options { gen_ai: false, ..Options::default() };
        Self { options, ratio: 1.0, parent_based: false, root_agents: false, content: false }
    }
}

impl Settings {
    /// Creates the default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Samples no span.
    pub fn unsampled(mut self) -> Self {
        self.ratio = 0.0;
        self.options.sampling = Sampling::Off;
        self
    }

    /// Sets the share of traces that is sampled, from 0 to 1.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Makes the sampler follow the decision of the parent span.
    pub fn parent_based(mut self) -> Self {
        self.parent_based = true;
        self.options.sampling = Sampling::ParentBased;
        self
    }

    /// Sets whether a success sets the span status `Ok`. With `false` it stays `Unset`.
    pub fn ok_status(mut self, enabled: bool) -> Self {
        self.options.ok_status = enabled;
        self
    }

    /// Sets the GenAI attributes of workflows and agents, as [`Telemetry`](crate::Telemetry) does
    /// by default.
    pub fn gen_ai(mut self) -> Self {
        self.options.gen_ai = true;
        self
    }

    /// Sets the latest names of the GenAI conventions, and the released ones too if `dup` is set.
    pub fn latest_gen_ai(mut self, dup: bool) -> Self {
        self.options.gen_ai_names = if dup { GenAiNames::Both } else { GenAiNames::Latest };
        self
    }

    /// Records the content of calls of models and tools.
    pub fn capture_content(mut self) -> Self {
        self.content = true;
        self
    }

    /// Names the span of an agent `invoke_agent {name}`.
    pub fn invoke_agent_names(mut self) -> Self {
        self.options.invoke_agent_names = true;
        self
    }

    /// Adds `openinference.span.kind` to every unit.
    pub fn openinference(mut self) -> Self {
        self.options.openinference = true;
        self
    }

    /// Records exceptions as log records, and as span events too if `dup` is set.
    pub fn exception_logs(mut self, dup: bool) -> Self {
        self.options.exceptions = if dup { Exceptions::Both } else { Exceptions::Log };
        self
    }

    /// Accepts agents outside a workflow in [`Capture::conformance`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let capture = hub_otel::testing::Settings::new().allow_root_agents().capture();
    /// hub_otel::agent("scanner", "scan").run(async {}).await;
    /// capture.conformance().unwrap();
    /// # }
    /// ```
    pub fn allow_root_agents(mut self) -> Self {
        self.root_agents = true;
        self
    }

    /// Starts a capture of this thread. See [`capture`].
    pub fn capture(self) -> Capture {
        let sdk = CaptureSdk::new(&self);
        let scope = CaptureScope::Thread(instance::enter(&sdk.instance));
        Capture { _scope: scope, sdk, root_agents: self.root_agents }
    }

    /// Starts a capture of the whole process.
    ///
    /// The capture becomes the default of every thread, and its providers become the global
    /// providers of OpenTelemetry, until the returned guard is dropped. Limits:
    ///
    /// * Process-wide captures run one after another: the call blocks its thread until no other is
    ///   left.
    /// * Work of other tests of the same process is captured too, unless these tests use
    ///   [`capture`], which takes precedence. Under `cargo test`, give tests with a process-wide
    ///   capture a test binary of their own; `cargo nextest` starts a process for each test.
    /// * It takes precedence over an installed [`Telemetry`](crate::Telemetry). Afterwards the
    ///   global providers of OpenTelemetry are no-ops.
    /// * A tracer or instrument that the program made earlier from the global providers is not
    ///   captured.
    /// * The instruments of a capture remain allocated until the process ends.
    ///
    /// # Panics
    /// If this thread already holds a process-wide capture.
    pub fn capture_global(self) -> Capture {
        let claim = ProcessWide::claim();
        let sdk = CaptureSdk::new(&self);
        let scope = CaptureScope::Process(claim.install(&sdk.instance, &sdk.traces, &sdk.metrics));
        Capture { _scope: scope, sdk, root_agents: self.root_agents }
    }
}

/// Guard of a capture, and access to what it recorded.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// let work = capture.run(hub_otel::workflow("nightly").run(async {}));
/// tokio::spawn(work).await.unwrap();
/// assert_eq!(capture.spans().named("workflow.execute").len(), 1);
/// assert_eq!(capture.metrics().value("workflow.runs.total", &[("workflow_id", "nightly")]), 1.0);
/// capture.conformance().unwrap();
/// # }
/// ```
#[must_use = "the capture ends when its guard is dropped"]
pub struct Capture {
    _scope: CaptureScope,
    sdk: CaptureSdk,
    root_agents: bool,
}

/// Extent of a capture. Ends it when dropped.
#[expect(dead_code, reason = "held for their `Drop`")]
enum CaptureScope {
    Thread(instance::EnteredInstance),
    Process(ProcessWide),
}

impl Capture {
    /// Runs `future` in this capture, on whichever thread it is polled.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let context = instance::root_context(&self.sdk.instance);
        let search = ContextInstanceGuard::new();
        async move {
            let output = future.with_context(context).await;
            drop(search);
            output
        }
    }

    /// Returns the spans that have ended so far.
    pub fn spans(&self) -> Spans {
        self.sdk.spans.lock().iter().map(Span::from_data).collect()
    }

    /// Returns the current value of every metric.
    pub fn metrics(&self) -> Metrics {
        let mut collected = ResourceMetrics::default();
        // A reader fails only after its provider was shut down; this provider never is.
        let _ = self.sdk.reader.collect(&mut collected);
        Metrics::new(&collected)
    }

    /// Returns the number of label values that were recorded as overflow, because the limit of
    /// values per label was reached.
    pub fn overflowed(&self) -> u64 {
        self.sdk.instance.units.overflowed() + self.sdk.instance.gen_ai.overflowed()
    }

    /// Checks the captured spans and metrics against the [semantic conventions](crate::semconv) of
    /// this library: names, types, units, labels, closed value sets, and that every agent runs in a
    /// workflow.
    ///
    /// Spans and metrics of other instrumentation are accepted as they are.
    ///
    /// # Errors
    /// Returns every violation.
    pub fn conformance(&self) -> Result<(), Violations> {
        conformance::check(&self.spans(), &self.metrics(), self.root_agents)
    }

    pub(crate) fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.sdk.traces
    }

    pub(crate) fn meter_provider(&self) -> &SdkMeterProvider {
        &self.sdk.metrics
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("spans", &self.sdk.spans.lock().len())
            .finish_non_exhaustive()
    }
}

/// SDK of one capture.
struct CaptureSdk {
    instance: Arc<Instance>,
    spans: CollectingProcessor,
    reader: SharedReader,
    metrics: SdkMeterProvider,
    traces: SdkTracerProvider,
}

impl CaptureSdk {
    fn new(settings: &Settings) -> Self {
        crate::unit::panic_text::install_hook();
        let content = if settings.content {
            ContentPolicy::consented(
                ContentLimits { spans: Some(MAX_CONTENT_BYTES), events: None },
                is_secret,
            )
        } else {
            ContentPolicy::default()
        };
        let spans = CollectingProcessor {
            spans: Arc::default(),
            gen_ai: Arc::new(GenAiRecorder::new(Prices::default(), content)),
        };
        let root = if settings.ratio >= 1.0 {
            Sampler::AlwaysOn
        } else if settings.ratio <= 0.0 {
            Sampler::AlwaysOff
        } else {
            Sampler::TraceIdRatioBased(settings.ratio)
        };
        let sampler: Box<dyn ShouldSample> =
            if settings.parent_based { ParentBasedSampler::new(root).into() } else { root.into() };
        let traces = SdkTracerProvider::builder()
            .with_sampler(sampler.clone())
            .with_span_processor(spans.clone())
            .build();
        let unit_spans = Arc::new(RecordedUnitSpans {
            sampler,
            ids: RandomIdGenerator::default(),
            limits: record_limits(&SpanLimits::default()),
            value_limit: ValueLimit::Bytes(usize::MAX),
            queue: None,
            console: None,
            processor: spans.clone(),
        });
        let reader = SharedReader(Arc::new(ManualReader::builder().build()));
        let metrics = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        let gen_ai = Arc::clone(&spans.gen_ai);
        let instance = Instance::new(
            &traces,
            unit_spans,
            &metrics,
            settings.options,
            gen_ai,
            Default::default(),
            true,
        );
        Self { instance, spans, reader, metrics, traces }
    }
}

impl Drop for CaptureSdk {
    fn drop(&mut self) {
        // The instance of a process-wide capture is never freed; the spans can be.
        self.spans.lock().clear();
    }
}

/// Span processor that keeps every ended span.
///
/// The SDK's in-memory exporter is not used: it is called through `futures_executor::block_on`,
/// which panics in a test that runs on that executor itself.
#[derive(Debug, Clone)]
struct CollectingProcessor {
    spans: Arc<Mutex<Vec<SpanData>>>,
    gen_ai: Arc<GenAiRecorder>,
}

impl CollectingProcessor {
    fn lock(&self) -> MutexGuard<'_, Vec<SpanData>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanProcessor for CollectingProcessor {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

    fn on_end(&self, mut span: SpanData) {
        keep_last(&mut span.attributes, |attribute| attribute.key.as_str());
        record_foreign_call(&self.gen_ai, &mut span);
        self.lock().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Reader that is shared by the provider, which takes it by value, and the capture.
#[derive(Debug, Clone)]
struct SharedReader(Arc<ManualReader>);

impl MetricReader for SharedReader {
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
