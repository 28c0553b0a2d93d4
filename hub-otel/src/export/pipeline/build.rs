//! Construction of the pipeline: the only place that creates providers, readers and exporters.

use crate::config::Config;
use crate::config::sampler::RootSampler;
use crate::config::signal::{Exporter, Signal};
use crate::export::accounting::Accounting;
use crate::export::batch_loop::{BatchExportLoop, EncodeBatch};
use crate::export::console::ConsoleExporter;
use crate::export::diagnostics::Diagnostics;
use crate::export::encode::{ScopedLogRecord, encode_log_records, encode_spans};
use crate::export::metrics;
use crate::export::metrics::ManualMetricReader;
use crate::export::metrics::isolated_meters::IsolatedMeterProvider;
use crate::export::metrics::observers::Observers;
use crate::export::metrics::periodic_push::{FlushRequest, PeriodicPush};
#[cfg(feature = "prometheus")]
use crate::export::metrics::{prometheus::MetricsHandler, scrapes::Scrapes};
use crate::export::pipeline::Pipeline;
use crate::export::processor::{QueueLogProcessor, QueueSpanProcessor};
use crate::export::protocol_hint::ProtocolHint;
use crate::export::queue::{Queue, SignalQueue};
use crate::export::retry::{BeforeExport, EndpointStates, RetryingExporter};
use crate::export::runtime::{ExportPhase, ExportRuntime};
use crate::export::transport::Transport;
use crate::instance::Instance;
use crate::options::{Options, Sampling};
use crate::telemetry::error::{InitError, SettingProblem};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
#[cfg(feature = "prometheus")]
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanLimits;
#[cfg(feature = "prometheus")]
use std::net::{SocketAddr, TcpListener};
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
    accounting: Vec<(Signal, Arc<Accounting>)>,
    observers: Arc<Observers>,
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
        let batch = if signal == Signal::Logs { &self.config.records } else { &self.config.spans };
        let queue = Queue::new(signal, *batch.queue, *batch.batch);
        let flush_request = Arc::new(Notify::new());
        let export_loop = BatchExportLoop {
            queue: Arc::clone(&queue),
            exporter: Arc::new(exporter),
            encode,
            delay: *batch.delay,
            phase: self.phase.clone(),
            flush_request: Arc::clone(&flush_request),
            diagnostics: Arc::clone(&self.diagnostics),
        };
        self.accounting.push((signal, Arc::clone(&queue.accounting)));
        self.spawn(export_loop.run());
        Ok(Some(SignalQueue { queue, flush_request }))
    }

    /// Starts the console exporter of traces, if configured.
    fn console(&mut self) -> Option<Arc<ConsoleExporter>> {
        if !self.config.exports(Signal::Traces, Exporter::Console) {
            return None;
        }
        let console = ConsoleExporter::new(
            self.config.deny.clone(),
            self.config.no_color,
            Arc::clone(&self.diagnostics),
        );
        let task = Arc::clone(&console).run(self.phase.clone());
        self.spawn(task);
        Some(console)
    }

    /// Starts the push of metrics, if they are exported by OTLP or printed.
    fn metric_push(
        &mut self,
    ) -> Result<Option<(ManualMetricReader, Arc<FlushRequest>)>, InitError> {
        let exporter = self.exporter(Signal::Metrics)?;
        let prints = self.config.exports(Signal::Metrics, Exporter::Console);
        if exporter.is_none() && !prints {
            return Ok(None);
        }
        let flush_request = Arc::<FlushRequest>::default();
        let reader = ManualMetricReader::new(*self.config.temporality);
        let accounting = Arc::<Accounting>::default();
        if exporter.is_some() {
            self.accounting.push((Signal::Metrics, Arc::clone(&accounting)));
        }
        let push = PeriodicPush {
            reader: reader.clone(),
            observers: Arc::clone(&self.observers),
            accounting,
            exporter,
            prints,
            protocol: *self.config.otlp(Signal::Metrics).protocol,
            deny: self.config.deny.clone(),
            diagnostics: Arc::clone(&self.diagnostics),
            interval: *self.config.metric_interval,
            timeout: *self.config.metric_timeout,
            phase: self.phase.clone(),
            flush_request: Arc::clone(&flush_request),
        };
        self.spawn(push.run());
        Ok(Some((reader, flush_request)))
    }

    /// Serves `/metrics`. Returns the address.
    #[cfg(feature = "prometheus")]
    fn serve(
        &mut self,
        listener: TcpListener,
        reader: ManualMetricReader,
        metric_push: &Option<Arc<FlushRequest>>,
    ) -> (Option<SocketAddr>, Option<tokio::task::JoinHandle<()>>) {
        let address = listener.local_addr().ok();
        if self.config.exports(Signal::Metrics, Exporter::Otlp) {
            self.diagnostics.log(
                "metrics are pulled by scrapes and pushed by OTLP: a Prometheus that gets both \
                 counts everything twice; set OTEL_METRICS_EXPORTER to one of `prometheus` and \
                 `otlp`",
            );
        }
        let handler = Arc::new(MetricsHandler {
            reader,
            observers: Arc::clone(&self.observers),
            deny: self.config.deny.clone(),
            diagnostics: Arc::clone(&self.diagnostics),
            warns_of_overflow: metric_push.is_none(),
            scrapes: Scrapes::default(),
            phase: self.phase.clone(),
            hosts: metrics::host::MetricsHosts::new(
                self.config.metrics_hosts.value.clone(),
                address,
            ),
            cache: tokio::sync::Mutex::default(),
        });
        let server = metrics::prometheus::serve(listener, Arc::clone(&handler), self.phase.clone());
        // Not one of the tasks that the shutdown waits for: it serves until the runtime stops.
        let server = self.runtime.handle().spawn(server);
        self.spawn(handler.linger());
        (address, Some(server))
    }

    fn span_encoder(&self) -> EncodeBatch<SpanData> {
        let (resource, deny) = (self.resource.clone(), self.config.deny.clone());
        let protocol = *self.config.otlp(Signal::Traces).protocol;
        Arc::new(move |spans| encode_spans(spans, &resource, &deny, protocol))
    }

    fn log_record_encoder(&self) -> EncodeBatch<ScopedLogRecord> {
        let (resource, deny) = (self.resource.clone(), self.config.deny.clone());
        let protocol = *self.config.otlp(Signal::Logs).protocol;
        Arc::new(move |records| encode_log_records(records, &resource, &deny, protocol))
    }

    fn tracer_provider(
        &self,
        queue: Option<Arc<Queue<SpanData>>>,
        console: Option<Arc<ConsoleExporter>>,
    ) -> SdkTracerProvider {
        let limits = &self.config.limits;
        let max = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
        let root = match self.config.sampler.root {
            RootSampler::On => Sampler::AlwaysOn,
            RootSampler::Off => Sampler::AlwaysOff,
            RootSampler::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        };
        let sampler = if self.config.sampler.parent_based {
            Sampler::ParentBased(Box::new(root))
        } else {
            root
        };
        SdkTracerProvider::builder()
            .with_resource(self.resource.clone())
            .with_sampler(sampler)
            .with_span_limits(SpanLimits {
                max_events_per_span: max(*limits.events),
                max_attributes_per_span: max(*limits.span_attributes),
                max_links_per_span: max(*limits.links),
                max_attributes_per_event: max(*limits.event_attributes),
                max_attributes_per_link: max(*limits.link_attributes),
            })
            .with_span_processor(QueueSpanProcessor {
                queue,
                console,
                value_limit: *limits.span_value,
            })
            .build()
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
    before_export: Option<BeforeExport>,
) -> Result<Pipeline, InitError> {
    #[cfg(feature = "prometheus")]
    let listener = if config.exports(Signal::Metrics, Exporter::Prometheus) {
        metrics::prometheus::listen(&config)?
    } else {
        None
    };
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
        accounting: Vec::new(),
    };

    let console = context.console();
    let spans = context.queue(Signal::Traces, context.span_encoder())?;
    let span_queue = spans.as_ref().map(|spans| Arc::clone(&spans.queue));
    let tracer_provider = context.tracer_provider(span_queue, console.clone());

    let log_records = if cfg!(feature = "logs") {
        context.queue(Signal::Logs, context.log_record_encoder())?
    } else {
        None
    };
    let logger_provider = log_records.as_ref().map(|log_records| {
        let queue = Arc::clone(&log_records.queue);
        SdkLoggerProvider::builder()
            .with_resource(context.resource.clone())
            .with_log_processor(QueueLogProcessor::new(queue, &context.config.limits))
            .build()
    });

    let mut meter_builder = SdkMeterProvider::builder()
        .with_resource(context.resource.clone())
        .with_view(metrics::drop_sdk_metrics);
    #[cfg(feature = "prometheus")]
    let served = match listener {
        Some(listener) => {
            let reader = ManualMetricReader::new(Temporality::Cumulative);
            meter_builder = meter_builder.with_reader(reader.clone());
            Some((listener, reader))
        }
        None => None,
    };
    let metric_push = match context.metric_push()? {
        Some((reader, flush_request)) => {
            meter_builder = meter_builder.with_reader(reader);
            Some(flush_request)
        }
        None => None,
    };
    let meter_provider = meter_builder.build();
    metrics::self_metrics::observe_accounting(
        &meter_provider.meter(crate::semconv::SCOPE),
        context.accounting.clone(),
    );
    #[cfg(feature = "prometheus")]
    let (metrics_addr, metrics_server) = served
        .map_or((None, None), |(listener, reader)| context.serve(listener, reader, &metric_push));
    #[cfg(not(feature = "prometheus"))]
    let (metrics_addr, metrics_server) = (None, None);

    let options = resolve_options(options, &context.config);
    let instance = Instance::new(&tracer_provider, &meter_provider, options);
    #[cfg(any(feature = "axum", feature = "reqwest"))]
    if let Some(methods) = &context.config.methods.value {
        instance.set_http_methods(methods);
    }
    Ok(Pipeline {
        config: context.config,
        instance,
        tracer_provider,
        meter_provider: IsolatedMeterProvider::new(meter_provider, context.observers),
        logger_provider,
        accounting: context.accounting,
        endpoints: context.endpoints,
        spans,
        log_records,
        metric_push,
        console,
        metrics_addr,
        metrics_server: Mutex::new(metrics_server),
        phase: phase_sender,
        runtime: context.runtime,
        tasks: Mutex::new(Some(context.tasks)),
        diagnostics: context.diagnostics,
    })
}

/// Merges the builder's options with those of the environment.
fn resolve_options(options: Options, config: &Config) -> Options {
    let sampling = match (config.sampler.parent_based, config.sampler.root) {
        (true, _) => Sampling::ParentBased,
        (false, RootSampler::Off) => Sampling::Off,
        (false, _) => Sampling::Ask,
    };
    Options {
        gen_ai: options.gen_ai || *config.gen_ai,
        exceptions: *config.exceptions,
        sampling,
        propagation: config.propagation(),
        ..options
    }
}
