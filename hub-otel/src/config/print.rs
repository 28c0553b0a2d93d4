//! The configuration as text: each setting with its value and its source, secrets redacted.

use crate::config::reader::{Origin, Setting};
use crate::config::signal::Signal;
use crate::config::{CAPTURE_CONTENT, Config, SPAN_FILTER};
use crate::options::{Exceptions, GenAiNames};
use crate::semconv::gen_ai::opt_in;
use crate::telemetry::redaction::REDACTED;
use std::fmt;
use std::fmt::Display;
use std::time::Duration;

impl Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &dyn Display, origin: &Origin| {
            writeln!(f, "{name} = {value}  ({origin})")
        };
        line("OTEL_HUB_STRICT", &self.strict.value, &self.strict.origin)?;
        line("OTEL_SDK_DISABLED", &self.disabled.value, &self.disabled.origin)?;
        line(
            "service.name",
            &self.resource.service_name.value,
            &self.resource.service_name.origin,
        )?;
        for (key, setting) in &self.resource.attributes {
            let value = if self.deny.denies(key) { REDACTED } else { &setting.value };
            line(key, &value, &setting.origin)?;
        }
        for &signal in Signal::ALL {
            let exporters = self.exporters(signal);
            let names: Vec<_> = exporters.iter().map(|exporter| exporter.as_str()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(",") };
            line(&format!("OTEL_{}_EXPORTER", signal.upper()), &names, &exporters.origin)?;
        }
        for &signal in Signal::ALL {
            let otlp = self.otlp(signal);
            let name = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.upper());
            line(&name("PROTOCOL"), &otlp.protocol.as_str(), &otlp.protocol.origin)?;
            line(&name("ENDPOINT"), &otlp.endpoint.value, &otlp.endpoint.origin)?;
            let headers: Vec<_> =
                otlp.headers.iter().map(|(name, _)| format!("{name}={REDACTED}")).collect();
            line(&name("HEADERS"), &headers.join(","), &otlp.headers.origin)?;
            line(&name("TIMEOUT"), &timeout_ms(&otlp.timeout), &otlp.timeout.origin)?;
            line(&name("COMPRESSION"), &otlp.compression.as_str(), &otlp.compression.origin)?;
            let files = [
                ("CERTIFICATE", &otlp.tls.certificate),
                ("CLIENT_CERTIFICATE", &otlp.tls.client_certificate),
                ("CLIENT_KEY", &otlp.tls.client_key),
            ];
            for (suffix, file) in files {
                if let Some(file) = file {
                    line(&name(suffix), &file.path.display(), &file.origin)?;
                }
            }
        }
        for (prefix, batch) in [("OTEL_BSP", &self.spans), ("OTEL_BLRP", &self.records)] {
            line(
                &format!("{prefix}_SCHEDULE_DELAY"),
                &batch.delay.as_millis(),
                &batch.delay.origin,
            )?;
            line(&format!("{prefix}_MAX_QUEUE_SIZE"), &batch.queue.value, &batch.queue.origin)?;
            line(
                &format!("{prefix}_MAX_EXPORT_BATCH_SIZE"),
                &batch.batch.value,
                &batch.batch.origin,
            )?;
            line(
                &format!("{prefix}_EXPORT_TIMEOUT"),
                &timeout_ms(&batch.timeout),
                &batch.timeout.origin,
            )?;
        }
        line(
            "OTEL_METRIC_EXPORT_INTERVAL",
            &self.metric_interval.as_millis(),
            &self.metric_interval.origin,
        )?;
        line(
            "OTEL_METRIC_EXPORT_TIMEOUT",
            &timeout_ms(&self.metric_timeout),
            &self.metric_timeout.origin,
        )?;
        let temporality = format!("{:?}", self.temporality.value).to_ascii_lowercase();
        line(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            &temporality,
            &self.temporality.origin,
        )?;
        line(
            super::histograms::VARIABLE,
            &self.histograms.value.as_str(),
            &self.histograms.origin,
        )?;
        line(
            "OTEL_EXPORTER_PROMETHEUS_HOST",
            &self.prometheus_host.value,
            &self.prometheus_host.origin,
        )?;
        line(
            "OTEL_EXPORTER_PROMETHEUS_PORT",
            &self.prometheus_port.value,
            &self.prometheus_port.origin,
        )?;
        let hosts = self.metrics_hosts.as_ref().map_or_else(|| "-".to_owned(), |it| it.join(","));
        line("HUB_OTEL_METRICS_HOSTS", &hosts, &self.metrics_hosts.origin)?;
        line("HUB_OTEL_MAX_LABEL_SETS", &self.max_label_sets.value, &self.max_label_sets.origin)?;
        let live = &self.live;
        line("OTEL_HUB_LIVE", &live.mode.value, &live.mode.origin)?;
        if !live.tokens.is_empty() {
            line("OTEL_HUB_LIVE_TOKEN", &REDACTED, &live.tokens.origin)?;
        }
        if let Some(hosts) = &live.hosts.value {
            line("OTEL_HUB_LIVE_HOSTS", &hosts.join(","), &live.hosts.origin)?;
        }
        if let Some(url) = &live.trace_url.value {
            line("OTEL_HUB_LIVE_TRACE_URL", url, &live.trace_url.origin)?;
        }
        line("OTEL_TRACES_SAMPLER", &self.sampler.value, &self.sampler.origin)?;
        let propagators: Vec<_> =
            self.propagators.iter().map(|propagator| propagator.as_str()).collect();
        let propagators =
            if propagators.is_empty() { "none".to_owned() } else { propagators.join(",") };
        line("OTEL_PROPAGATORS", &propagators, &self.propagators.origin)?;
        if let Some(methods) = &self.methods.value {
            line(
                "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
                &methods.join(","),
                &self.methods.origin,
            )?;
        }
        let limits = &self.limits;
        line(
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            &limits.span_value.value,
            &limits.span_value.origin,
        )?;
        line(
            "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            &limits.record_value.value,
            &limits.record_value.origin,
        )?;
        let counts: [(&str, &Setting<usize>); 6] = [
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", &limits.span_attributes),
            ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", &limits.record_attributes),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", &limits.events),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", &limits.links),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", &limits.event_attributes),
            ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", &limits.link_attributes),
        ];
        for (name, setting) in counts {
            line(name, &setting.value, &setting.origin)?;
        }
        let exceptions = match self.exceptions.value {
            Exceptions::SpanEvent => "span event",
            Exceptions::Log => "logs",
            Exceptions::Both => "logs/dup",
        };
        line("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", &exceptions, &self.exceptions.origin)?;
        let names = match self.gen_ai_names.value {
            GenAiNames::Released => "",
            GenAiNames::Latest => opt_in::LATEST,
            GenAiNames::Both => opt_in::BOTH,
        };
        line("OTEL_SEMCONV_STABILITY_OPT_IN", &names, &self.gen_ai_names.origin)?;
        line(CAPTURE_CONTENT, &self.capture_content.value, &self.capture_content.origin)?;
        line("RUST_LOG", &self.log_filter.value, &self.log_filter.origin)?;
        line(SPAN_FILTER, &self.span_filter.value, &self.span_filter.origin)?;
        line(
            "HUB_OTEL_SHUTDOWN_TIMEOUT",
            &self.shutdown_timeout.as_millis(),
            &self.shutdown_timeout.origin,
        )?;
        Ok(())
    }
}

/// Returns a timeout as its variable has it: 0 is no limit.
fn timeout_ms(timeout: &Duration) -> u128 {
    if *timeout == Duration::MAX { 0 } else { timeout.as_millis() }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
