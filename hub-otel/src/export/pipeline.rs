//! Puts the parts together: the only place that knows exporters.

use crate::config::{Config, Exporter, Root, Signal};
use crate::export::accounting::Ledger;
use crate::export::batch_loop::{Encode, Worker};
use crate::export::console::Console;
use crate::export::diagnostics::Voice;
use crate::export::encode::Record;
use crate::export::metrics::OnDemand;
use crate::export::metrics::periodic_push::{Flush, Push};
use crate::export::processor::{Records, Spans};
use crate::export::queue::Queue;
use crate::export::retry::{Courier, Hook, Phase};
use crate::export::runtime::Private;
use crate::export::transport::Transport;
use crate::export::{encode, metrics};
use crate::instance::Instance;
use crate::options::{Options, Propagation, Sampling};
use crate::telemetry::builder::TelemetryBuilder;
use crate::telemetry::error::InitError;
use crate::telemetry::guard::Telemetry;
use crate::telemetry::shutdown::Inner;
use crate::telemetry::shutdown_message::Peers;
use crate::telemetry::{resource, signal};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanLimits;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A queue, and the bell that asks for everything in it.
pub(crate) type Line<T> = (Arc<Queue<T>>, Arc<Notify>);

/// What the parts share while they are put together.
struct Site {
    config: Config,
    resource: Resource,
    phase: watch::Receiver<Phase>,
    voice: Arc<Voice>,
    hook: Option<Hook>,
    peers: Peers,
    tasks: JoinSet<()>,
    private: Private,
}

impl Site {
    /// The way to the Collector for `signal`, if it goes there.
    fn courier(&mut self, signal: Signal) -> Result<Option<Courier>, InitError> {
        if !self.config.sends(signal, Exporter::Otlp) {
            return Ok(None);
        }
        let otlp = self.config.otlp(signal);
        let export = match signal {
            Signal::Traces => *self.config.spans.timeout,
            Signal::Metrics => *self.config.metric_timeout,
            Signal::Logs => *self.config.records.timeout,
        };
        let _context = self.private.handle().enter();
        let transport = Transport::new(signal, otlp).map_err(|expected| {
            let origin = otlp.endpoint.origin.to_string();
            InitError::settings(vec![crate::telemetry::error::SettingProblem::new(
                origin,
                &otlp.endpoint.to_string(),
                expected,
            )])
        })?;
        let endpoint = otlp.endpoint.to_string();
        let peer = Arc::clone(self.peers.entry(otlp.endpoint.authority()).or_default());
        Ok(Some(Courier {
            signal,
            transport,
            endpoint,
            attempt: (*otlp.timeout).min(export),
            phase: self.phase.clone(),
            voice: Arc::clone(&self.voice),
            peer,
            hook: self.hook.clone(),
        }))
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, self.private.handle());
    }

    /// A queue with its export loop.
    fn queue<T: Send + 'static>(
        &mut self,
        signal: Signal,
        encode: Encode<T>,
    ) -> Result<Option<Line<T>>, InitError> {
        let Some(courier) = self.courier(signal)? else { return Ok(None) };
        let batch = if signal == Signal::Logs { &self.config.records } else { &self.config.spans };
        let queue = Queue::new(signal, *batch.queue, *batch.batch);
        let flush = Arc::new(Notify::new());
        let worker = Worker {
            queue: Arc::clone(&queue),
            courier: Arc::new(courier),
            encode,
            delay: *batch.delay,
            phase: self.phase.clone(),
            flush: Arc::clone(&flush),
            voice: Arc::clone(&self.voice),
        };
        self.spawn(worker.run());
        Ok(Some((queue, flush)))
    }
}

/// Builds an instance from what the builder says.
pub(crate) fn build(builder: TelemetryBuilder) -> Result<Telemetry, InitError> {
    let (config, environment) = builder.resolve()?;
    if *config.disabled || !cfg!(feature = "enabled") {
        return Ok(Telemetry::inert(config));
    }
    #[cfg(feature = "prometheus")]
    let listener = if config.sends(Signal::Metrics, Exporter::Prometheus) {
        metrics::prometheus::listen(&config)?
    } else {
        None
    };
    let (tell, phase) = watch::channel(Phase::Running);
    let mut site = Site {
        resource: resource::resource(&config, &environment),
        config,
        phase,
        voice: Arc::default(),
        hook: builder.hook,
        peers: Peers::new(),
        tasks: JoinSet::new(),
        private: Private::start().map_err(InitError::export_thread)?,
    };
    let mut ledgers: Vec<(Signal, Arc<Ledger>)> = Vec::new();

    let console = site
        .config
        .sends(Signal::Traces, Exporter::Console)
        .then(|| Console::new(site.config.deny.clone(), site.config.no_color));
    if let Some(console) = &console {
        let task = Arc::clone(console).run(site.phase.clone());
        site.spawn(task);
    }
    let spans = site.queue(Signal::Traces, encode_spans(&site))?;
    ledgers.extend(spans.as_ref().map(|(queue, _)| (Signal::Traces, Arc::clone(&queue.ledger))));
    let traces =
        tracer_provider(&site, spans.as_ref().map(|(queue, _)| Arc::clone(queue)), console.clone());

    let records = if cfg!(feature = "logs") {
        site.queue(Signal::Logs, encode_records(&site))?
    } else {
        None
    };
    ledgers.extend(records.as_ref().map(|(queue, _)| (Signal::Logs, Arc::clone(&queue.ledger))));
    let logs = records.as_ref().map(|(queue, _)| {
        SdkLoggerProvider::builder()
            .with_resource(site.resource.clone())
            .with_log_processor(Records::new(Arc::clone(queue), &site.config.limits))
            .build()
    });

    let mut meter = SdkMeterProvider::builder()
        .with_resource(site.resource.clone())
        .with_view(metrics::without_the_sdks_own);
    #[cfg(feature = "prometheus")]
    let registry = {
        let registry = prometheus::Registry::new();
        if listener.is_some() {
            meter = meter.with_reader(prometheus_reader(&registry)?);
        }
        registry
    };
    let courier = site.courier(Signal::Metrics)?;
    let pushes = courier.is_some();
    let prints = site.config.sends(Signal::Metrics, Exporter::Console);
    let push_flush = (pushes || prints).then(Arc::<Flush>::default);
    if let Some(flush) = &push_flush {
        let reader = OnDemand::new(*site.config.temporality);
        meter = meter.with_reader(reader.clone());
        let ledger = Arc::<Ledger>::default();
        if pushes {
            ledgers.push((Signal::Metrics, Arc::clone(&ledger)));
        }
        let push = Push {
            reader,
            ledger,
            courier,
            console: prints,
            protocol: *site.config.otlp(Signal::Metrics).protocol,
            deny: site.config.deny.clone(),
            voice: Arc::clone(&site.voice),
            interval: *site.config.metric_interval,
            timeout: *site.config.metric_timeout,
            phase: site.phase.clone(),
            flush: Arc::clone(flush),
        };
        site.spawn(push.run());
    }
    let metrics_provider = meter.build();
    metrics::self_metrics::observe(&metrics_provider.meter(crate::semconv::SCOPE), ledgers.clone());
    #[cfg(feature = "prometheus")]
    let metrics_addr = listener.and_then(|listener| {
        let address = listener.local_addr().ok();
        let voice = push_flush.is_none().then(|| Arc::clone(&site.voice));
        let page = metrics::prometheus::Page::new(registry, site.config.deny.clone(), voice);
        // Not among the tasks that shutdown waits for: it serves until the last.
        site.private.handle().spawn(metrics::prometheus::serve(listener, page, site.phase.clone()));
        address
    });
    #[cfg(not(feature = "prometheus"))]
    let metrics_addr = None;

    let instance =
        Instance::new(&traces, &metrics_provider, options(builder.options, &site.config));
    #[cfg(any(feature = "axum", feature = "reqwest"))]
    if let Some(methods) = &site.config.methods.value {
        instance.set_http_methods(methods);
    }
    #[cfg(feature = "process")]
    let watches = {
        let application = tokio::runtime::Handle::try_current().ok();
        Mutex::new(vec![crate::process::start_sampler(
            &instance,
            application,
            site.private.handle(),
        )])
    };
    let inner = Arc::new(Inner {
        config: site.config,
        instance,
        traces,
        metrics: metrics_provider,
        logs,
        ledgers,
        peers: site.peers,
        spans,
        records,
        push: push_flush,
        console,
        metrics_addr,
        tell,
        private: site.private,
        tasks: Mutex::new(Some(site.tasks)),
        shutdown: Mutex::default(),
        finished: Notify::new(),
        finished_blocking: std::sync::Condvar::new(),
        voice: site.voice,
        installed: AtomicBool::new(false),
        layered: AtomicBool::new(false),
        #[cfg(feature = "process")]
        watches,
    });
    if builder.shutdown_on_signal {
        signal::shut_down(&inner)?;
    }
    Ok(Telemetry::new(inner))
}

/// What every unit is told: the builder's word, and what the environment adds.
fn options(options: Options, config: &Config) -> Options {
    let sampling = match (config.sampler.parent_based, config.sampler.root) {
        (true, _) => Sampling::ParentBased,
        (false, Root::Off) => Sampling::Off,
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

fn encode_spans(site: &Site) -> Encode<SpanData> {
    let (resource, deny) = (site.resource.clone(), site.config.deny.clone());
    let protocol = *site.config.otlp(Signal::Traces).protocol;
    Arc::new(move |spans| encode::spans(spans, &resource, &deny, protocol))
}

fn encode_records(site: &Site) -> Encode<Record> {
    let (resource, deny) = (site.resource.clone(), site.config.deny.clone());
    let protocol = *site.config.otlp(Signal::Logs).protocol;
    Arc::new(move |records| encode::records(records, &resource, &deny, protocol))
}

fn tracer_provider(
    site: &Site,
    queue: Option<Arc<Queue<SpanData>>>,
    console: Option<Arc<Console>>,
) -> SdkTracerProvider {
    let limits = &site.config.limits;
    let most = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
    let root = match site.config.sampler.root {
        Root::On => Sampler::AlwaysOn,
        Root::Off => Sampler::AlwaysOff,
        Root::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
    };
    let sampler =
        if site.config.sampler.parent_based { Sampler::ParentBased(Box::new(root)) } else { root };
    SdkTracerProvider::builder()
        .with_resource(site.resource.clone())
        .with_sampler(sampler)
        .with_span_limits(SpanLimits {
            max_events_per_span: most(*limits.events),
            max_attributes_per_span: most(*limits.span_attributes),
            max_links_per_span: most(*limits.links),
            max_attributes_per_event: most(*limits.event_attributes),
            max_attributes_per_link: most(*limits.link_attributes),
        })
        .with_span_processor(Spans { queue, console, limit: *limits.span_value })
        .build()
}

#[cfg(feature = "prometheus")]
fn prometheus_reader(
    registry: &prometheus::Registry,
) -> Result<opentelemetry_prometheus::PrometheusExporter, InitError> {
    use crate::semconv::attribute as a;
    use opentelemetry::Key;
    let labels = std::collections::HashSet::from([
        Key::from(a::SERVICE_NAME),
        Key::from(a::SERVICE_NAMESPACE),
    ]);
    opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .with_resource_selector(labels)
        .build()
        .map_err(InitError::registry)
}

/// The propagator that the configuration names, for whoever asks OpenTelemetry's global one.
pub(crate) fn propagator(
    propagation: Propagation,
) -> opentelemetry::propagation::TextMapCompositePropagator {
    use opentelemetry::propagation::TextMapCompositePropagator;
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry_sdk::propagation::BaggagePropagator;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    let mut list: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
    if propagation.trace_context {
        list.push(Box::new(TraceContextPropagator::new()));
    }
    if propagation.baggage == Some(true) {
        list.push(Box::new(BaggagePropagator::new()));
    }
    TextMapCompositePropagator::new(list)
}
