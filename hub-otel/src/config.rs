//! What telemetry is told to do: the builder's word, else the environment's, else the default.
//!
//! Resolved once, completely, before anything is started: every setting that is wrong is reported at once. Nothing
//! after this reads the environment.

pub(crate) mod endpoint;
pub(crate) mod env;
mod http;
pub(crate) mod otlp;
mod print;
pub(crate) mod reader;
mod resource;
mod sampler;
pub(crate) mod signal;

use crate::config::env::Environment;
use crate::config::reader::{Origin, Overrides, Reader, Setting, one_of};
use crate::options::{Exceptions, Propagation};
use crate::telemetry::error::{InitError, SettingProblem};
use crate::telemetry::redaction::DenyList;
use opentelemetry_sdk::metrics::Temporality;
use std::time::Duration;

pub(crate) use crate::config::http::Methods;
pub(crate) use crate::config::otlp::{OtlpConfig, Protocol};
pub(crate) use crate::config::resource::ResourceConfig;
pub(crate) use crate::config::sampler::{Limits, Root, SamplerConfig, ValueLimit};
pub(crate) use crate::config::signal::{Exporter, Signal};

/// How finished items are put together into batches (OTEL_BSP_*, OTEL_BLRP_*).
#[derive(Debug, Clone)]
pub(crate) struct BatchConfig {
    pub(crate) delay: Setting<Duration>,
    pub(crate) queue: Setting<usize>,
    pub(crate) batch: Setting<usize>,
    pub(crate) timeout: Setting<Duration>,
}

/// A propagator that OTEL_PROPAGATORS can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagator {
    TraceContext,
    Baggage,
}

/// Everything that the environment and the builder decide. Printing it shows each setting, its value and where it came
/// from, secrets redacted.
#[derive(Clone)]
pub struct Config {
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
    pub(crate) prometheus_host: Setting<String>,
    pub(crate) prometheus_port: Setting<u16>,
    pub(crate) sampler: Setting<SamplerConfig>,
    pub(crate) propagators: Setting<Vec<Propagator>>,
    pub(crate) methods: Setting<Option<Methods>>,
    pub(crate) limits: Limits,
    pub(crate) log_filter: Setting<String>,
    pub(crate) no_color: bool,
    pub(crate) exceptions: Setting<Exceptions>,
    pub(crate) gen_ai: Setting<bool>,
    pub(crate) shutdown_timeout: Setting<Duration>,
    pub(crate) deny: DenyList,
}

/// The most that a queue may be told to hold, in items: its bytes are bounded anyway.
const MOST_ITEMS: usize = 1 << 20;
const HOUR: u64 = 3_600_000;

impl Config {
    pub(crate) fn resolve(
        overrides: &Overrides,
        environment: &Environment,
        defaults: &resource::Defaults,
        deny: DenyList,
        insecure_hosts: &[String],
    ) -> Result<Self, InitError> {
        let mut read = Reader { overrides, environment, problems: Vec::new() };
        for name in environment.unreadable() {
            read.problems.push(SettingProblem::new(
                name.clone(),
                "bytes that are no text",
                "text in UTF-8",
            ));
        }
        let config = Self {
            disabled: read.boolean(&["OTEL_SDK_DISABLED"], false),
            resource: ResourceConfig::read(&mut read, defaults),
            traces: exporters(&mut read, Signal::Traces),
            metrics: exporters(&mut read, Signal::Metrics),
            logs: exporters(&mut read, Signal::Logs),
            otlp: [Signal::Traces, Signal::Metrics, Signal::Logs].map(|signal| OtlpConfig::read(&mut read, signal)),
            spans: batch(&mut read, "OTEL_BSP"),
            records: batch(&mut read, "OTEL_BLRP"),
            metric_interval: read.milliseconds(&["OTEL_METRIC_EXPORT_INTERVAL"], Duration::from_secs(10), 10, HOUR),
            metric_timeout: read.milliseconds(&["OTEL_METRIC_EXPORT_TIMEOUT"], Duration::from_secs(30), 1, HOUR),
            temporality: read.word(
                &["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"],
                Temporality::Cumulative,
                &[
                    ("cumulative", Temporality::Cumulative),
                    ("delta", Temporality::Delta),
                    ("lowmemory", Temporality::LowMemory),
                ],
            ),
            prometheus_host: read.read(&["OTEL_EXPORTER_PROMETHEUS_HOST"], "127.0.0.1".to_owned(), |host| {
                let plain = !host.contains(['/', ' ', '@']) && (!host.contains(':') || host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok());
                if plain { Ok(host.trim_matches(['[', ']']).to_owned()) } else { Err("a host or an IP address, e.g. `127.0.0.1`; the port goes into OTEL_EXPORTER_PROMETHEUS_PORT".to_owned()) }
            }),
            prometheus_port: read.read(&["OTEL_EXPORTER_PROMETHEUS_PORT"], 9464, |port| {
                port.parse().map_err(|_| "a port from 0 (any free one) to 65535; the default is 9464".to_owned())
            }),
            sampler: sampler::sampler(&mut read),
            propagators: propagators(&mut read),
            methods: http::methods(&mut read),
            limits: Limits::read(&mut read),
            log_filter: read.read(&["RUST_LOG"], "info".to_owned(), |filter| {
                filter
                    .parse::<tracing_subscriber::filter::EnvFilter>()
                    .map(|_| filter.to_owned())
                    .map_err(|error| format!("directives of tracing-subscriber's EnvFilter, e.g. `info,my_crate=debug` ({error})"))
            }),
            exceptions: read.word(
                &["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"],
                Exceptions::SpanEvent,
                &[("logs", Exceptions::Log), ("logs/dup", Exceptions::Both)],
            ),
            // A list of words for everybody: those that are not ours are not mistakes.
            gen_ai: read.read(&["OTEL_SEMCONV_STABILITY_OPT_IN"], false, |list| {
                Ok(list.split(',').any(|word| word.trim() == "gen_ai_latest_experimental"))
            }),
            no_color: environment.get("NO_COLOR").is_some(),
            shutdown_timeout: read.milliseconds(&["HUB_OTEL_SHUTDOWN_TIMEOUT"], Duration::from_secs(5), 1, HOUR),
            deny,
        };
        otlp::refuse_open_credentials(&mut read, &config, insecure_hosts);
        if !config.disabled.value {
            config.refuse_missing_features(&mut read);
        }
        if read.problems.is_empty() { Ok(config) } else { Err(InitError::settings(read.problems)) }
    }

    /// The name under which everything is emitted: `service.name`.
    #[must_use]
    pub fn service_name(&self) -> &str {
        &self.resource.service_name.value
    }

    /// Where the Collector of a signal listens; `None` when the signal is not sent by OTLP.
    #[must_use]
    pub fn collector(&self, signal: Signal) -> Option<String> {
        let sent = !self.disabled.value && self.sends(signal, Exporter::Otlp);
        sent.then(|| self.otlp(signal).endpoint.value.to_string())
    }

    /// What travels between processes.
    pub(crate) fn propagation(&self) -> Propagation {
        let named = |propagator| self.propagators.contains(&propagator);
        Propagation {
            trace_context: named(Propagator::TraceContext),
            baggage: self.propagators.origin.is_chosen().then(|| named(Propagator::Baggage)),
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

    pub(crate) fn sends(&self, signal: Signal, exporter: Exporter) -> bool {
        self.exporters(signal).contains(&exporter)
    }

    /// A setting that needs a part of the library that was not compiled in.
    fn refuse_missing_features(&self, read: &mut Reader<'_>) {
        for &signal in Signal::ALL {
            if !self.sends(signal, Exporter::Otlp) {
                continue;
            }
            let otlp = self.otlp(signal);
            let (feature, compiled) = if otlp.protocol.is_http() {
                ("http", cfg!(feature = "otlp-http"))
            } else {
                ("grpc", cfg!(feature = "otlp-grpc"))
            };
            if !compiled {
                let (origin, value) = (otlp.protocol.origin.clone(), otlp.protocol.as_str());
                read.problem(
                    &origin,
                    value,
                    format!(
                        "a protocol that is compiled in: enable hub-otel's feature `{feature}`"
                    ),
                );
            }
            if otlp.endpoint.tls && !cfg!(feature = "otlp-tls") {
                let (origin, value) = (otlp.endpoint.origin.clone(), otlp.endpoint.to_string());
                read.problem(&origin, &value, "`http://`, or hub-otel's feature `tls`");
            }
        }
        if self.sends(Signal::Metrics, Exporter::Prometheus) && !cfg!(feature = "prometheus") {
            let origin = self.metrics.origin.clone();
            read.problem(
                &origin,
                "prometheus",
                "another exporter, or hub-otel's feature `prometheus`",
            );
        }
    }
}

fn exporters(read: &mut Reader<'_>, signal: Signal) -> Setting<Vec<Exporter>> {
    let otlp = cfg!(any(feature = "otlp-grpc", feature = "otlp-http"));
    let (default, words): (Vec<Exporter>, &[(&str, Exporter)]) = match signal {
        Signal::Metrics => (
            if cfg!(feature = "prometheus") { vec![Exporter::Prometheus] } else { vec![] },
            &[
                ("otlp", Exporter::Otlp),
                ("console", Exporter::Console),
                ("prometheus", Exporter::Prometheus),
            ],
        ),
        Signal::Traces | Signal::Logs => (
            if otlp && (signal == Signal::Traces || cfg!(feature = "logs")) {
                vec![Exporter::Otlp]
            } else {
                vec![]
            },
            &[("otlp", Exporter::Otlp), ("console", Exporter::Console)],
        ),
    };
    let name = format!("OTEL_{}_EXPORTER", signal.upper());
    read.read(&[&name], default, |value| {
        if value.trim().eq_ignore_ascii_case("none") {
            return Ok(Vec::new());
        }
        let mut list = Vec::new();
        for word in value.split(',') {
            let exporter = one_of(word, words).map_err(|expected| {
                format!("{expected}, several of them with commas, or `none`")
            })?;
            if !list.contains(&exporter) {
                list.push(exporter);
            }
        }
        Ok(list)
    })
}

fn batch(read: &mut Reader<'_>, prefix: &str) -> BatchConfig {
    let name = |suffix: &str| format!("{prefix}_{suffix}");
    let config = BatchConfig {
        delay: read.milliseconds(&[&name("SCHEDULE_DELAY")], Duration::from_secs(1), 1, HOUR),
        queue: read.number(&[&name("MAX_QUEUE_SIZE")], 16_384, 1, MOST_ITEMS),
        batch: read.number(&[&name("MAX_EXPORT_BATCH_SIZE")], 512, 1, MOST_ITEMS),
        timeout: read.milliseconds(&[&name("EXPORT_TIMEOUT")], Duration::from_secs(30), 1, HOUR),
    };
    if config.batch.value > config.queue.value && !config.batch.is_default() {
        let (origin, value) = (config.batch.origin.clone(), config.batch.to_string());
        read.problem(
            &origin,
            &value,
            format!("no more than the queue holds, {} ({})", *config.queue, config.queue.origin),
        );
    }
    config
}

fn propagators(read: &mut Reader<'_>) -> Setting<Vec<Propagator>> {
    read.read(&["OTEL_PROPAGATORS"], vec![Propagator::TraceContext], |value| {
        if value.trim().eq_ignore_ascii_case("none") {
            return Ok(Vec::new());
        }
        let words = [("tracecontext", Propagator::TraceContext), ("baggage", Propagator::Baggage)];
        value
            .split(',')
            .map(|word| {
                one_of(word, &words)
                    .map_err(|expected| format!("{expected}, both with a comma, or `none`"))
            })
            .collect()
    })
}

impl Origin {
    /// Whether somebody asked for it, rather than leaving it to the default.
    pub(crate) fn is_chosen(&self) -> bool {
        *self != Self::Default
    }
}

pub(crate) use crate::config::resource::Defaults;
