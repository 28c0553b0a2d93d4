//! Construction of the pipeline: the only place that creates providers, readers and exporters.

mod custom;
#[cfg(feature = "live")]
mod live_view;
mod metrics_export;
mod options;
mod spans;

use crate::config::Config;
#[cfg(feature = "live")]
use crate::config::live::LiveMode;
use crate::config::signal::{Exporter, Signal};
use crate::export::batch_loop::{BatchExportLoop, EncodeBatch, ExportBatch, encode_and_export};
use crate::export::components::Components;
use crate::export::components::log_processors::CustomLogProcessor;
use crate::export::delivery::Delivery;
use crate::export::diagnostics::Diagnostics;
use crate::export::encode::encode_log_records;
use crate::export::metrics;
#[cfg(feature = "prometheus")]
use crate::export::metrics::ManualMetricReader;
use crate::export::metrics::isolated_meters::IsolatedMeterProvider;
use crate::export::metrics::observers::Observers;
use crate::export::pipeline::{Pipeline, RunningComponents};
use crate::export::processor::{QueueLogProcessor, QueueSpanProcessor};
use crate::export::protocol_hint::ProtocolHint;
use crate::export::queue::{Queue, SignalQueue};
use crate::export::queued_log::QueuedLog;
use crate::export::retry::{BeforeExport, EndpointStates, RetryingExporter};
use crate::export::runtime::{ExportPhase, ExportRuntime};
use crate::export::transport::Transport;
use crate::export::unit_spans::SdkUnitSpans;
use crate::gen_ai::prices::Prices;
use crate::gen_ai::recorder::GenAiRecorder;
use crate::instance::Instance;
#[cfg(feature = "live")]
use crate::live::feed::Feed;
use crate::options::{Options, Sampling};
use crate::propagation::custom::CustomPropagators;
use crate::semconv::library_scope;
use crate::telemetry::error::{InitError, SettingProblem};
use crate::unit::span::UnitSpans;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
#[cfg(feature = "prometheus")]
use opentelemetry_sdk::metrics::Temporality;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The shared state of the construction.
struct BuildContext {
    config: Config,
    resource: Resource,
    phase: watch::Receiver<ExportPhase>,
    diagnostics: Arc<Diagnostics>,
    before_export: Option<BeforeExport>,
    endpoints: EndpointStates,
    tasks: JoinSet<()>,
    runtime: ExportRuntime,
    deliveries: Vec<Delivery>,
    observers: Arc<Observers>,
    /// `None` if the live view is off.
    #[cfg(feature = "live")]
    live: Option<Arc<Feed>>,
}

impl BuildContext {
    /// Creates the OTLP exporter of `signal`. Returns `None` if the signal has no OTLP exporter.
    fn exporter(&mut self, signal: Signal) -> Result<Option<RetryingExporter>, InitError> {
        if !self.config.exports(signal, Exporter::Otlp) {
            return Ok(None);
        }
        let otlp = self.config.otlp(signal);
        let export_timeout = match signal {
            Signal::Traces => *self.config.spans.timeout,
            Signal::Metrics => *self.config.metric_timeout,
            Signal::Logs => *self.config.records.timeout,
        };
        let _context = self.runtime.handle().enter();
        let transport = Transport::new(signal, otlp).map_err(|expected| {
            let origin = otlp.endpoint.origin.to_string();
            let problem = SettingProblem::new(origin, &otlp.endpoint.to_string(), expected);
            InitError::settings(vec![problem])
        })?;
        let endpoint_state = self.endpoints.entry(otlp.endpoint.authority()).or_default();
        Ok(Some(RetryingExporter {
            signal,
            transport,
            endpoint: otlp.endpoint.to_string(),
            attempt_timeout: (*otlp.timeout).min(export_timeout),
            phase: self.phase.clone(),
            diagnostics: Arc::clone(&self.diagnostics),
            endpoint_state: Arc::clone(endpoint_state),
            protocol_hint: ProtocolHint::new(otlp),
            before_export: self.before_export.clone(),
        }))
    }

    /// Spawns a task that the shutdown waits for.
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, self.runtime.handle());
    }

    /// Creates the queue of `signal` and starts its export loop.
    fn queue<T: Send + 'static>(
        &mut self,
        signal: Signal,
        encode: EncodeBatch<T>,
    ) -> Result<Option<SignalQueue<T>>, InitError> {
        let Some(exporter) = self.exporter(signal)? else { return Ok(None) };
        let (queue, export_loop) =
            self.export_loop(signal, encode_and_export(encode, exporter), None);
        self.spawn(export_loop.run());
        Ok(Some(queue))
    }

    /// Creates a queue of `signal` and its export loop, for an exporter of the application if it
    /// has a name.
    pub(super) fn export_loop<T: Send + 'static>(
        &mut self,
        signal: Signal,
        export: ExportBatch<T>,
        exporter: Option<Arc<str>>,
    ) -> (SignalQueue<T>, BatchExportLoop<T>) {
        let batch = if signal == Signal::Logs { &self.config.records } else { &self.config.spans };
        let queue = Queue::new(signal, *batch.queue, *batch.batch);
        let flush_request = Arc::new(Notify::new());
        let export_loop = BatchExportLoop {
            queue: Arc::clone(&queue),
            export,
            is_concurrent: exporter.is_none(),
            name: match &exporter {
                Some(exporter) => format!("{signal} ({exporter})"),
                None => signal.to_string(),
            },
            delay: *batch.delay,
            phase: self.phase.clone(),
            flush_request: Arc::clone(&flush_request),
            diagnostics: Arc::clone(&self.diagnostics),
        };
        self.deliveries.push(Delivery {
            signal,
            exporter,
            accounting: Arc::clone(&queue.accounting),
        });
        (SignalQueue { queue, flush_request }, export_loop)
    }

    fn log_record_encoder(&self) -> EncodeBatch<QueuedLog> {
        let (resource, deny) = (self.resource.clone(), self.config.deny.clone());
        let protocol = *self.config.otlp(Signal::Logs).protocol;
        Arc::new(move |records| encode_log_records(records, &resource, &deny, protocol))
    }
}

/// Starts the pipeline. The caller has checked that telemetry is not disabled.
///
/// # Errors
/// The address of `/metrics` is in use, the export thread cannot be started, or a TLS file is
/// invalid.
pub(crate) fn start(
    config: Config,
    resource: Resource,
    options: Options,
    prices: Prices,
    before_export: Option<BeforeExport>,
    mut components: Components,
) -> Result<Pipeline, InitError> {
    #[cfg(feature = "prometheus")]
    let listener = if config.exports(Signal::Metrics, Exporter::Prometheus) {
        metrics::prometheus::listen(&config)?
    } else {
        None
    };
    #[cfg(feature = "live")]
    let (has_live, live_listener) =
        (*config.live.mode != LiveMode::Off, crate::live::listener::listen(&config)?);
    let (phase_sender, phase) = watch::channel(ExportPhase::Running);
    let diagnostics = Arc::<Diagnostics>::default();
    let mut context = BuildContext {
        config,
        resource,
        phase,
        observers: Observers::new(Arc::clone(&diagnostics)),
        diagnostics,
        before_export,
        endpoints: EndpointStates::new(),
        tasks: JoinSet::new(),
        runtime: ExportRuntime::start().map_err(InitError::export_thread)?,
        deliveries: Vec::new(),
        #[cfg(feature = "live")]
        live: has_live.then(|| Arc::new(Feed::new())),
    };

    let console = context.console();
    let spans = context.queue(Signal::Traces, context.span_encoder())?;
    let span_queue = spans.as_ref().map(|spans| Arc::clone(&spans.queue));
    let gen_ai = Arc::new(GenAiRecorder::new(prices, options::content_policy(&context.config)));
    let has_custom_sampler = components.sampler.is_some();
    let has_custom_spans = components.has_spans();
    let (custom_spans, span_processors) = context.span_components(&mut components);
    let processor = QueueSpanProcessor {
        custom: Arc::clone(&span_processors),
        queue: span_queue,
        console: console.clone(),
        value_limit: *context.config.limits.span_value,
        gen_ai: Arc::clone(&gen_ai),
        #[cfg(feature = "live")]
        live: context.live.clone(),
    };
    let tracer_provider = context.tracer_provider(processor.clone(), &mut components);
    let unit_spans: Arc<dyn UnitSpans> = if has_custom_spans {
        Arc::new(SdkUnitSpans { tracer: tracer_provider.tracer_with_scope(library_scope()) })
    } else {
        context.unit_spans(processor)
    };

    let log_records = if cfg!(feature = "logs") {
        context.queue(Signal::Logs, context.log_record_encoder())?
    } else {
        None
    };
    let (custom_log_records, log_processors) = context.log_components(&mut components);
    let log_queue = log_records.as_ref().map(|log_records| Arc::clone(&log_records.queue));
    #[cfg(feature = "live")]
    let has_own = log_queue.is_some() || (cfg!(feature = "logs") && context.live.is_some());
    #[cfg(not(feature = "live"))]
    let has_own = log_queue.is_some();
    let logger_provider = (has_own || !log_processors.is_empty()).then(|| {
        let mut builder = SdkLoggerProvider::builder().with_resource(context.resource.clone());
        if !log_processors.is_empty() {
            builder = builder.with_log_processor(CustomLogProcessor(Arc::clone(&log_processors)));
        }
        if has_own {
            builder = builder.with_log_processor(QueueLogProcessor::new(
                log_queue,
                #[cfg(feature = "live")]
                context.live.clone(),
                &context.config.limits,
            ));
        }
        builder.build()
    });
    if let Some(provider) = &logger_provider {
        gen_ai.set_logs(provider);
    }

    let mut meter_builder = SdkMeterProvider::builder()
        .with_resource(context.resource.clone())
        .with_view(metrics::drop_sdk_metrics);
    let has_views = !components.views.is_empty();
    // An instrument has a stream per view that matches it: those of the application stay alone.
    if !has_views {
        meter_builder = meter_builder.with_view(metrics::configured_view(&context.config));
    }
    #[cfg(feature = "prometheus")]
    let served = match listener {
        Some(listener) => {
            let reader = ManualMetricReader::new(Temporality::Cumulative);
            meter_builder = meter_builder.with_reader(reader.clone());
            Some((listener, reader))
        }
        None => None,
    };
    let mut metric_pushes = Vec::new();
    if let Some((reader, flush_request)) = context.metric_push()? {
        meter_builder = meter_builder.with_reader(reader);
        metric_pushes.push(flush_request);
    }
    #[cfg(feature = "prometheus")]
    let is_pushed = !metric_pushes.is_empty();
    #[cfg(all(feature = "live", feature = "prometheus"))]
    let served_reader = served.as_ref().map(|(_, reader)| reader);
    #[cfg(all(feature = "live", not(feature = "prometheus")))]
    let served_reader = None;
    #[cfg(feature = "live")]
    let (meter_builder, live_reader) = context.live_reader(meter_builder, served_reader);
    let (meter_builder, metric_readers) =
        context.metric_components(&mut components, meter_builder, &mut metric_pushes);
    let meter_provider = meter_builder.build();
    let meter = meter_provider.meter_with_scope(library_scope());
    metrics::self_metrics::observe_accounting(&meter, context.deliveries.clone());
    metrics::self_metrics::observe_liveness(&meter, context.phase.clone());
    #[cfg(feature = "cost")]
    observe_price_table(&context, &meter);
    let mut options = options::resolve_options(options, &context.config);
    if has_custom_sampler {
        options.sampling = Sampling::Ask;
    }
    let propagators = CustomPropagators::new(components.propagators);
    // Views and pushes get the metrics of units from the SDK.
    let needs_sdk = has_views || !metric_pushes.is_empty() || !metric_readers.readers.is_empty();
    let instance = Instance::new(
        &tracer_provider,
        unit_spans,
        &meter_provider,
        options,
        gen_ai,
        propagators,
        needs_sdk,
    );
    metrics::self_metrics::observe_open_workflows(&meter, Arc::clone(&instance.open_units));
    #[cfg(feature = "prometheus")]
    let (metrics_addr, metrics_server) = served.map_or((None, None), |(listener, reader)| {
        // Views of the application apply to the instruments of the SDK.
        let units = (!has_views).then(|| Arc::clone(&instance.units));
        context.serve(listener, reader, units, is_pushed)
    });
    #[cfg(not(feature = "prometheus"))]
    let (metrics_addr, metrics_server) = (None, None);

    #[cfg(any(feature = "axum", feature = "reqwest", feature = "tower"))]
    if let Some(methods) = &context.config.methods.value {
        instance.set_http_methods(methods);
    }
    #[cfg(feature = "live")]
    let (live, live_listener) = context.live_view(&instance, live_listener, live_reader);
    Ok(Pipeline {
        #[cfg(feature = "live")]
        live,
        #[cfg(feature = "live")]
        live_listener: Mutex::new(live_listener),
        config: context.config,
        instance,
        tracer_provider,
        meter_provider: IsolatedMeterProvider::new(meter_provider, context.observers),
        logger_provider,
        deliveries: context.deliveries,
        endpoints: context.endpoints,
        spans,
        log_records,
        metric_pushes,
        components: RunningComponents {
            spans: custom_spans,
            log_records: custom_log_records,
            span_processors,
            log_processors,
            metric_readers,
        },
        console,
        metrics_addr,
        metrics_server: Mutex::new(metrics_server),
        phase: phase_sender,
        runtime: context.runtime,
        tasks: Mutex::new(Some(context.tasks)),
        diagnostics: context.diagnostics,
    })
}

/// Decodes the price table in the background, and exports its age.
#[cfg(feature = "cost")]
fn observe_price_table(context: &BuildContext, meter: &opentelemetry::metrics::Meter) {
    use crate::contain::contain;
    use crate::gen_ai::price_table;
    context.runtime.handle().spawn_blocking(|| contain(price_table::load));
    let metric = &crate::semconv::metric::PRICE_TABLE_AGE;
    crate::metrics::instruments::observe_f64_gauge(meter, metric, |observer| {
        observer.observe(price_table::age(std::time::SystemTime::now()).as_secs_f64(), &[]);
    });
}
