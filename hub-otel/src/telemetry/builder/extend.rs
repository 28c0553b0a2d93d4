//! Extension points of the builder: the SDK components of the application.

use crate::export::components::exporters::{ErasedLogExporter, ErasedSpanExporter};
use crate::export::components::named::{Named, name_of};
use crate::telemetry::builder::TelemetryBuilder;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::logs::{LogExporter, LogProcessor};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{Instrument, Stream};
use opentelemetry_sdk::resource::ResourceDetector;
use opentelemetry_sdk::trace::{IdGenerator, ShouldSample, SpanExporter, SpanProcessor};
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::TelemetryBuilder {}
}

/// Extension points of [`TelemetryBuilder`]: SDK components of the application.
///
/// Processors, exporters and readers are added to those of the settings. To export by your own
/// exporter only, disable the other one: `.exporters(Signal::Traces, [])`.
///
/// A component cannot disturb the program: a panic in it is contained and reported once on stderr,
/// and exporters run on a blocking thread with a tokio context, so that they may block or use tokio
/// clients. The values of [secret attributes](TelemetryBuilder::deny_attribute) are redacted before
/// processors and exporters get a span that has ended or a log record; labels of metrics are not.
///
/// The methods have types of `opentelemetry_sdk` 0.33 in their signatures: see the
/// [rule of versions](crate::otel).
///
/// ```
/// use hub_otel::otel::TelemetryBuilderExt as _;
/// use hub_otel::otel::opentelemetry::Context;
/// use hub_otel::otel::opentelemetry_sdk::error::OTelSdkResult;
/// use hub_otel::otel::opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
/// use std::time::Duration;
///
/// /// Prints the name of every span.
/// #[derive(Debug)]
/// struct Names;
///
/// impl SpanProcessor for Names {
///     fn on_start(&self, _: &mut Span, _: &Context) {}
///     fn on_end(&self, span: SpanData) {
///         println!("{}", span.name);
///     }
///     fn force_flush(&self) -> OTelSdkResult {
///         Ok(())
///     }
///     fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let telemetry = hub_otel::Telemetry::builder()
///     .span_processor(Names)
/// #   .env_source([("OTEL_METRICS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "none")])
///     .build()?;
/// # drop(telemetry);
/// # Ok(())
/// # }
/// ```
pub trait TelemetryBuilderExt: sealed::Sealed + Sized {
    /// Adds a span processor.
    ///
    /// `on_start` may add attributes, which are exported. `on_end` gets a copy of every recorded
    /// span, sampled or not. [`Telemetry::flush`](crate::Telemetry::flush) calls `force_flush`,
    /// and the shutdown calls `shutdown_with_timeout` once, after the last unit has ended.
    /// Processors are called in the order in which they were added, on the thread of the span: they
    /// must not block.
    #[must_use = "telemetry is started by `install` or `build`"]
    fn span_processor(self, processor: impl SpanProcessor + 'static) -> Self;

    /// Adds a span exporter, with a queue and a delivery account of its own.
    ///
    /// Queue, batches and timeout have the settings of OTLP (OTEL_BSP_…). A batch is exported once:
    /// retries are the exporter's. [`Report::exporters`](crate::Report::exporters) counts its spans
    /// as ok, failed (`timeout`, `exporter_error`, `exporter_shut_down`, `panic`) or dropped
    /// (`queue_full`, `after_shutdown`, `shutdown_deadline`), and `hub_otel.export.items` with the
    /// label `exporter`.
    ///
    /// Those of the crate `opentelemetry-otlp` are such exporters. The one for gRPC has to be built
    /// inside of a tokio runtime.
    ///
    /// ```
    /// use hub_otel::otel::TelemetryBuilderExt as _;
    /// use hub_otel::otel::opentelemetry_sdk::error::OTelSdkResult;
    /// use hub_otel::otel::opentelemetry_sdk::trace::{SpanData, SpanExporter};
    ///
    /// /// Writes one line per span.
    /// #[derive(Debug)]
    /// struct Lines;
    ///
    /// impl SpanExporter for Lines {
    ///     async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
    ///         batch.iter().for_each(|span| println!("{} {:?}", span.name, span.status));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = hub_otel::Telemetry::builder().span_exporter(Lines);
    /// # let _ = builder;
    /// ```
    #[must_use = "telemetry is started by `install` or `build`"]
    fn span_exporter(self, exporter: impl SpanExporter + 'static) -> Self;

    /// Adds a log processor. It gets each record before it is queued for export, and may change it.
    ///
    /// Records come from `tracing` events and the `log` crate (feature `logs`), and from
    /// [`otel::logger_provider`](crate::otel::logger_provider).
    #[must_use = "telemetry is started by `install` or `build`"]
    fn log_processor(self, processor: impl LogProcessor + 'static) -> Self;

    /// Adds a log exporter. The rules of [`span_exporter`](Self::span_exporter) apply, with the
    /// settings OTEL_BLRP_….
    #[must_use = "telemetry is started by `install` or `build`"]
    fn log_exporter(self, exporter: impl LogExporter + 'static) -> Self;

    /// Adds a metric exporter, to which all metrics are pushed every OTEL_METRIC_EXPORT_INTERVAL
    /// (10 s), at each flush and at the shutdown.
    ///
    /// One push has the timeout OTEL_METRIC_EXPORT_TIMEOUT; its data points are counted in
    /// [`Report::exporters`](crate::Report::exporters).
    #[must_use = "telemetry is started by `install` or `build`"]
    fn metric_exporter(self, exporter: impl PushMetricExporter) -> Self;

    /// Adds a metric reader, which collects when it chooses to: one that pulls, or the SDK's
    /// `PeriodicReader`.
    ///
    /// `force_flush` is called by [`Telemetry::flush`](crate::Telemetry::flush) and
    /// `shutdown_with_timeout` once, by the shutdown. The callbacks of observable instruments are
    /// not run by its collections: they run every OTEL_METRIC_EXPORT_INTERVAL, at least every 30 s,
    /// and before a flush, and a collection gets the values of the last run.
    ///
    /// ```
    /// use hub_otel::otel::TelemetryBuilderExt as _;
    /// use hub_otel::otel::opentelemetry_sdk::metrics::ManualReader;
    ///
    /// let builder = hub_otel::Telemetry::builder().metric_reader(ManualReader::builder().build());
    /// # let _ = builder;
    /// ```
    #[must_use = "telemetry is started by `install` or `build`"]
    fn metric_reader(self, reader: impl MetricReader) -> Self;

    /// Adds a view: the stream, or the changes of it, for the instruments that the function
    /// matches. It applies to every reader and exporter of metrics.
    ///
    /// ```
    /// use hub_otel::otel::TelemetryBuilderExt as _;
    /// use hub_otel::otel::opentelemetry_sdk::metrics::{Aggregation, Stream};
    ///
    /// let builder = hub_otel::Telemetry::builder().metric_view(|instrument| {
    ///     let is_size = instrument.name() == "document.size";
    ///     let boundaries = vec![1024.0, 65536.0, 1048576.0];
    ///     let aggregation =
    ///         Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: true };
    ///     is_size.then(|| Stream::builder().with_aggregation(aggregation).build().ok()).flatten()
    /// });
    /// # let _ = builder;
    /// ```
    #[must_use = "telemetry is started by `install` or `build`"]
    fn metric_view(
        self,
        view: impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static,
    ) -> Self;

    /// Sets the sampler, with precedence over OTEL_TRACES_SAMPLER.
    ///
    /// It decides on every span, also on those with a parent: wrap it into `Sampler::ParentBased`
    /// to keep traces whole. A span for which it panics is sampled. Metrics count every unit,
    /// sampled or not.
    ///
    /// ```
    /// use hub_otel::otel::TelemetryBuilderExt as _;
    /// use hub_otel::otel::opentelemetry_sdk::trace::Sampler;
    ///
    /// let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.1)));
    /// let builder = hub_otel::Telemetry::builder().sampler(sampler);
    /// # let _ = builder;
    /// ```
    #[must_use = "telemetry is started by `install` or `build`"]
    fn sampler(self, sampler: impl Into<Box<dyn ShouldSample>>) -> Self;

    /// Sets the generator of trace ids and span ids. An invalid id (zero) is replaced by a random
    /// one.
    ///
    /// For a workflow engine that replays code: ids that depend on the run and the position in it
    /// are the same in every replay.
    #[must_use = "telemetry is started by `install` or `build`"]
    fn id_generator(self, ids: impl IdGenerator + 'static) -> Self;

    /// Adds a resource detector, which `install` and `build` call once; they wait for it.
    ///
    /// Its attributes take precedence over the detected ones of this library, and configured ones
    /// over both. The service name is never taken from a detector.
    #[must_use = "telemetry is started by `install` or `build`"]
    fn resource_detector(self, detector: impl ResourceDetector + Send + Sync + 'static) -> Self;

    /// Adds a propagator, beside `traceparent`, `tracestate` and `baggage`: for B3, X-Ray or a
    /// header of your own.
    ///
    /// It writes wherever the trace context is written ([`propagation`](crate::propagation), HTTP
    /// clients, child processes). It is read wherever the trace context is read; a valid
    /// `traceparent` takes precedence. Where only the trace of a caller is trusted, its span is
    /// taken and nothing else.
    #[must_use = "telemetry is started by `install` or `build`"]
    fn propagator(self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self;
}

impl TelemetryBuilderExt for TelemetryBuilder {
    fn span_processor(mut self, processor: impl SpanProcessor + 'static) -> Self {
        let name = name_of(&processor);
        self.components.span_processors.push(Named::new(name, Box::new(processor)));
        self
    }

    fn span_exporter(mut self, exporter: impl SpanExporter + 'static) -> Self {
        let name = name_of(&exporter);
        let exporter = Box::new(ErasedSpanExporter(exporter));
        self.components.span_exporters.push(Named::new(name, exporter));
        self
    }

    fn log_processor(mut self, processor: impl LogProcessor + 'static) -> Self {
        let name = name_of(&processor);
        self.components.log_processors.push(Named::new(name, Box::new(processor)));
        self
    }

    fn log_exporter(mut self, exporter: impl LogExporter + 'static) -> Self {
        let name = name_of(&exporter);
        let exporter = Box::new(ErasedLogExporter(exporter));
        self.components.log_exporters.push(Named::new(name, exporter));
        self
    }

    fn metric_exporter(mut self, exporter: impl PushMetricExporter) -> Self {
        let name = name_of(&exporter);
        self.components.metric_exporters.push(Named::new(name, Box::new(exporter)));
        self
    }

    fn metric_reader(mut self, reader: impl MetricReader) -> Self {
        let name = name_of(&reader);
        self.components.metric_readers.push(Named::new(name, Arc::new(reader)));
        self
    }

    fn metric_view(
        mut self,
        view: impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static,
    ) -> Self {
        self.components.views.push(Arc::new(view));
        self
    }

    fn sampler(mut self, sampler: impl Into<Box<dyn ShouldSample>>) -> Self {
        self.components.sampler = Some(sampler.into());
        self
    }

    fn id_generator(mut self, ids: impl IdGenerator + 'static) -> Self {
        self.components.id_generator = Some(Box::new(ids));
        self
    }

    fn resource_detector(
        mut self,
        detector: impl ResourceDetector + Send + Sync + 'static,
    ) -> Self {
        let name = name_of(&detector);
        self.components.detectors.push(Named::new(name, Box::new(detector)));
        self
    }

    fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.components.propagators.push(Arc::new(propagator));
        self
    }
}
