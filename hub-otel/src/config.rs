//! The configuration: builder, environment, defaults, in this order of precedence.
//!
//! Resolved once, before anything is started. All invalid settings are reported together. Nothing
//! else in the crate reads the environment.

mod credentials;
pub(crate) mod endpoint;
pub(crate) mod env;
mod headers;
mod histograms;
mod lists;
pub(crate) mod live;
pub(crate) mod otlp;
mod print;
pub(crate) mod reader;
pub(crate) mod resource;
pub(crate) mod sampler;
pub(crate) mod signal;

use crate::config::env::Environment;
pub(crate) use crate::config::histograms::HistogramAggregation;
use crate::config::lists::{
    HttpMethods, Propagator, read_exporters, read_http_methods, read_propagators,
};
use crate::config::live::LiveConfig;
use crate::config::otlp::OtlpConfig;
use crate::config::reader::{Invalid, Origin, Overrides, Setting, SettingsReader, invalid_number};
use crate::config::resource::{Defaults, ResourceConfig};
use crate::config::sampler::{Limits, SamplerConfig, read_sampler};
use crate::config::signal::{Exporter, Signal};
use crate::gen_ai::ContentCapture;
use crate::options::{DEFAULT_MAX_LABEL_SETS, Exceptions, GenAiNames, Propagation};
use crate::semconv::gen_ai::opt_in;
use crate::telemetry::error::InitError;
use crate::telemetry::redaction::DenyList;
use opentelemetry_sdk::metrics::Temporality;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Batching of finished items (OTEL_BSP_*, OTEL_BLRP_*).
#[derive(Debug, Clone)]
pub(crate) struct BatchConfig {
    pub(crate) delay: Setting<Duration>,
    pub(crate) queue: Setting<usize>,
    pub(crate) batch: Setting<usize>,
    pub(crate) timeout: Setting<Duration>,
}

/// The resolved settings of one [`Telemetry`](crate::Telemetry) instance.
///
/// `Display` and `Debug` print every setting with its value and its source, one per line, secrets
/// redacted.
///
/// ```
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let config = hub_otel::Telemetry::builder()
///     .env_source([("OTEL_BSP_MAX_QUEUE_SIZE", "1024")])
///     .config()?;
/// let text = config.to_string();
/// assert!(text.contains("OTEL_BSP_MAX_QUEUE_SIZE = 1024  (OTEL_BSP_MAX_QUEUE_SIZE)"));
/// assert!(text.contains("OTEL_BSP_SCHEDULE_DELAY = 1000  (default)"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) strict: Setting<bool>,
    /// The ignored values of the environment.
    pub(crate) warnings: Vec<String>,
    pub(crate) disabled: Setting<bool>,
    pub(crate) resource: ResourceConfig,
    pub(crate) traces: Setting<Vec<Exporter>>,
    pub(crate) metrics: Setting<Vec<Exporter>>,
    pub(crate) logs: Setting<Vec<Exporter>>,
    pub(crate) otlp: [OtlpConfig; 3],
    pub(crate) spans: BatchConfig,
    pub(crate) records: BatchConfig,
    pub(crate) metric_interval: Setting<Duration>,
    pub(crate) metric_timeout: Setting<Duration>,
    pub(crate) temporality: Setting<Temporality>,
    pub(crate) histograms: Setting<HistogramAggregation>,
    pub(crate) prometheus_host: Setting<String>,
    pub(crate) prometheus_port: Setting<u16>,
    pub(crate) metrics_hosts: Setting<Option<Vec<String>>>,
    pub(crate) max_label_sets: Setting<usize>,
    pub(crate) live: LiveConfig,
    pub(crate) sampler: Setting<SamplerConfig>,
    pub(crate) propagators: Setting<Vec<Propagator>>,
    pub(crate) methods: Setting<Option<HttpMethods>>,
    pub(crate) limits: Limits,
    pub(crate) log_filter: Setting<String>,
    pub(crate) span_filter: Setting<String>,
    pub(crate) no_color: bool,
    pub(crate) exceptions: Setting<Exceptions>,
    pub(crate) gen_ai_names: Setting<GenAiNames>,
    pub(crate) capture_content: Setting<ContentCapture>,
    pub(crate) shutdown_timeout: Setting<Duration>,
    pub(crate) deny: DenyList,
}

/// The variable of the filter of `tracing` spans.
pub(crate) const SPAN_FILTER: &str = "OTEL_HUB_SPAN_FILTER";
/// The variable of the consent to the content of GenAI calls.
pub(crate) const CAPTURE_CONTENT: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
/// The limit of OTEL_BSP_MAX_QUEUE_SIZE. The bytes of a queue are bounded separately.
const MAX_QUEUE_ITEMS: usize = 1 << 20;
/// The limit of HUB_OTEL_MAX_LABEL_SETS: five statuses each are half a million series.
const MAX_LABEL_SETS: usize = 100_000;
/// The limit of timeouts and intervals, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

impl Config {
    /// Resolves all settings.
    ///
    /// # Errors
    /// Settings are invalid. The error lists all of them.
    pub(crate) fn resolve(
        overrides: &Overrides,
        environment: &Environment,
        defaults: &Defaults,
        deny: DenyList,
        insecure_hosts: &[String],
        is_strict: bool,
    ) -> Result<Self, InitError> {
        let mut reader = SettingsReader::new(overrides, environment);
        let mut strict = reader.boolean(&["OTEL_HUB_STRICT"], false);
        if is_strict {
            strict = Setting { value: true, origin: Origin::Builder("strict_environment") };
        }
        reader.is_strict = strict.value;
        for name in environment.unreadable() {
            let invalid = Invalid::Unsupported("text in UTF-8".to_owned());
            reader.ignore(&Origin::Environment(name.clone()), "bytes that are no text", invalid);
        }
        let disabled = reader.boolean(&["OTEL_SDK_DISABLED"], false);
        let log_filter = reader.read(&["RUST_LOG"], "info".to_owned(), parse_log_filter);
        // RUST_LOG=off turns the crate `tracing` off.
        let span_filter = if *log_filter == "off" { "off" } else { "info" };
        let metrics = read_exporters(&mut reader, Signal::Metrics);
        let mut config = Self {
            strict,
            disabled,
            warnings: Vec::new(),
            resource: ResourceConfig::read(&mut reader, defaults),
            traces: read_exporters(&mut reader, Signal::Traces),
            histograms: HistogramAggregation::read(&mut reader, &metrics),
            metrics,
            logs: read_exporters(&mut reader, Signal::Logs),
            // In the order of the variants: `Config::otlp` uses the signal as the index.
            otlp: [Signal::Traces, Signal::Metrics, Signal::Logs]
                .map(|signal| OtlpConfig::read(&mut reader, signal)),
            spans: read_batch(&mut reader, "OTEL_BSP"),
            records: read_batch(&mut reader, "OTEL_BLRP"),
            metric_interval: reader.milliseconds(
                &["OTEL_METRIC_EXPORT_INTERVAL"],
                Duration::from_secs(10),
                10,
                HOUR_MS,
            ),
            metric_timeout: reader.timeout(
                &["OTEL_METRIC_EXPORT_TIMEOUT"],
                Duration::from_secs(30),
                HOUR_MS,
            ),
            temporality: reader.one_of(
                &["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"],
                Temporality::Cumulative,
                &[
                    ("cumulative", Temporality::Cumulative),
                    ("delta", Temporality::Delta),
                    ("lowmemory", Temporality::LowMemory),
                ],
            ),
            prometheus_host: reader.require(
                &["OTEL_EXPORTER_PROMETHEUS_HOST"],
                "127.0.0.1".to_owned(),
                parse_host,
            ),
            prometheus_port: read_prometheus_port(&mut reader, defaults),
            metrics_hosts: reader.read(&["HUB_OTEL_METRICS_HOSTS"], None, |list| {
                let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
                Ok(Some(names.map(str::to_owned).collect()))
            }),
            max_label_sets: reader.number(
                &["HUB_OTEL_MAX_LABEL_SETS"],
                DEFAULT_MAX_LABEL_SETS,
                1,
                MAX_LABEL_SETS,
            ),
            live: LiveConfig::read(&mut reader),
            sampler: read_sampler(&mut reader),
            propagators: read_propagators(&mut reader),
            methods: read_http_methods(&mut reader),
            limits: Limits::read(&mut reader),
            span_filter: reader.read(&[SPAN_FILTER], span_filter.to_owned(), parse_log_filter),
            log_filter,
            exceptions: reader.one_of(
                &["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"],
                Exceptions::SpanEvent,
                &[("logs", Exceptions::Log), ("logs/dup", Exceptions::Both)],
            ),
            // The list is shared by all instrumentations: unknown entries are not errors.
            gen_ai_names: reader.read(
                &["OTEL_SEMCONV_STABILITY_OPT_IN"],
                GenAiNames::Released,
                |list| {
                    let contains = |name| list.split(',').any(|item| item.trim() == name);
                    Ok(if contains(opt_in::BOTH) {
                        GenAiNames::Both
                    } else if contains(opt_in::LATEST) {
                        GenAiNames::Latest
                    } else {
                        GenAiNames::Released
                    })
                },
            ),
            capture_content: reader.one_of(
                &[CAPTURE_CONTENT],
                ContentCapture::None,
                &[
                    ("true", ContentCapture::Spans),
                    ("span_only", ContentCapture::Spans),
                    ("event_only", ContentCapture::Events),
                    ("span_and_event", ContentCapture::SpansAndEvents),
                    ("false", ContentCapture::None),
                    ("no_content", ContentCapture::None),
                ],
            ),
            no_color: environment.get("NO_COLOR").is_some(),
            shutdown_timeout: reader.milliseconds(
                &["HUB_OTEL_SHUTDOWN_TIMEOUT"],
                Duration::from_secs(5),
                1,
                HOUR_MS,
            ),
            deny,
        };
        credentials::reject_insecure_credentials(&mut reader, &config, insecure_hosts);
        if !config.disabled.value {
            config.reject_missing_features(&mut reader);
            config.live.check(&mut reader);
        }
        if reader.problems.is_empty() {
            config.warnings = reader.warnings;
            Ok(config)
        } else {
            Err(InitError::settings(reader.problems))
        }
    }

    /// Returns the service name: the resource attribute `service.name`.
    #[must_use]
    pub fn service_name(&self) -> &str {
        &self.resource.service_name.value
    }

    /// Returns one line per value of the environment that is ignored. `build` and `install` print
    /// them.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let config = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_PROPAGATORS", "tracecontext,b3")])
    ///     .config()?;
    /// assert!(config.warnings()[0].starts_with("OTEL_PROPAGATORS is set to `b3`"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the OTLP endpoint of a signal. `None` if the signal is not exported by OTLP.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// use hub_otel::Signal;
    ///
    /// let config = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_LOGS_EXPORTER", "none")])
    ///     .endpoint("http://collector:4317")
    ///     .config()?;
    /// assert_eq!(config.collector(Signal::Traces).as_deref(), Some("http://collector:4317"));
    /// assert_eq!(config.collector(Signal::Logs), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn collector(&self, signal: Signal) -> Option<String> {
        let is_exported = !self.disabled.value && self.exports(signal, Exporter::Otlp);
        is_exported.then(|| self.otlp(signal).endpoint.value.to_string())
    }

    /// Returns OTEL_PROPAGATORS as the boundaries apply it.
    pub(crate) fn propagation(&self) -> Propagation {
        let contains = |propagator| self.propagators.contains(&propagator);
        Propagation {
            trace_context: contains(Propagator::TraceContext),
            baggage: self.propagators.origin.is_chosen().then(|| contains(Propagator::Baggage)),
        }
    }

    pub(crate) fn otlp(&self, signal: Signal) -> &OtlpConfig {
        &self.otlp[signal as usize]
    }

    pub(crate) fn exporters(&self, signal: Signal) -> &Setting<Vec<Exporter>> {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    /// Returns whether `signal` has the exporter `exporter`.
    pub(crate) fn exports(&self, signal: Signal, exporter: Exporter) -> bool {
        self.exporters(signal).contains(&exporter)
    }

    /// Reports settings that need a feature that is not enabled.
    fn reject_missing_features(&self, reader: &mut SettingsReader<'_>) {
        for &signal in Signal::ALL {
            if !self.exports(signal, Exporter::Otlp) {
                continue;
            }
            let otlp = self.otlp(signal);
            if let Err(expected) = otlp.protocol.check_compiled() {
                let (origin, value) = (otlp.protocol.origin.clone(), otlp.protocol.as_str());
                reader.problem(&origin, value, expected);
            }
            if otlp.endpoint.tls && !cfg!(feature = "otlp-tls") {
                // Without the path, which differs between the signals.
                let value = format!("https://{}", otlp.endpoint.authority());
                let origin = otlp.endpoint.origin.clone();
                reader.problem(&origin, &value, "`http://`, or hub-otel's feature `otlp-tls`");
            }
        }
    }
}

/// Reads OTEL_BSP_* or OTEL_BLRP_*.
fn read_batch(reader: &mut SettingsReader<'_>, prefix: &str) -> BatchConfig {
    let name = |suffix: &str| format!("{prefix}_{suffix}");
    const BATCH: usize = 512;
    let mut config = BatchConfig {
        delay: reader.milliseconds(&[&name("SCHEDULE_DELAY")], Duration::from_secs(1), 1, HOUR_MS),
        queue: reader.number(&[&name("MAX_QUEUE_SIZE")], 16_384, 1, MAX_QUEUE_ITEMS),
        batch: reader.number(&[&name("MAX_EXPORT_BATCH_SIZE")], BATCH, 1, MAX_QUEUE_ITEMS),
        timeout: reader.timeout(&[&name("EXPORT_TIMEOUT")], Duration::from_secs(30), HOUR_MS),
    };
    if config.batch.value > config.queue.value && !config.batch.is_default() {
        let (origin, value) = (config.batch.origin.clone(), config.batch.to_string());
        let expected =
            format!("no more than the queue holds, {} ({})", *config.queue, config.queue.origin);
        reader.ignore(&origin, &value, Invalid::Unsupported(expected));
        config.batch = Setting::default(BATCH.min(*config.queue));
    }
    config
}

/// Reads the port of `/metrics`.
fn read_prometheus_port(reader: &mut SettingsReader<'_>, defaults: &Defaults) -> Setting<u16> {
    let default = defaults.prometheus_port.unwrap_or(9464);
    reader.read(&["OTEL_EXPORTER_PROMETHEUS_PORT"], default, |port| {
        port.parse().map_err(|_| {
            let form = format!("a port from 0 (any free one) to 65535; the default is {default}");
            invalid_number(port, form)
        })
    })
}

/// Parses a host name or an IP address.
fn parse_host(host: &str) -> Result<String, String> {
    let name = host.trim_matches(['[', ']']);
    let has_port = host.contains(':') && name.parse::<Ipv6Addr>().is_err();
    if has_port || host.contains(['/', ' ', '@']) {
        return Err("a host or an IP address, e.g. `127.0.0.1`; the port goes into \
                    OTEL_EXPORTER_PROMETHEUS_PORT"
            .to_owned());
    }
    Ok(name.to_owned())
}

/// Validates the directives of RUST_LOG.
fn parse_log_filter(filter: &str) -> Result<String, Invalid> {
    match filter.parse::<tracing_subscriber::filter::EnvFilter>() {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(Invalid::Unsupported(format!(
            "directives of tracing-subscriber's EnvFilter, e.g. `info,my_crate=debug` ({error})"
        ))),
    }
}
