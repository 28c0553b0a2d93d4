//! What a program says about its telemetry in code. It wins over the environment; the `default_…` calls do not.

use crate::config::env::Environment;
use crate::config::otlp::{Compression, Protocol};
use crate::config::reader::Overrides;
use crate::config::{Config, Defaults, Exporter, Signal};
use crate::export::pipeline;
use crate::export::retry::Hook;
use crate::instance;
use crate::options::Options;
use crate::telemetry::error::InitError;
use crate::telemetry::guard::Telemetry;
use crate::telemetry::redaction::DenyList;
use opentelemetry_semantic_conventions::attribute as s;
use std::path::Path;
use std::time::Duration;

/// Starts telemetry under `service`, and installs it for the process. The name is a default: OTEL_SERVICE_NAME wins.
///
/// # Errors
/// As [`TelemetryBuilder::install`].
pub fn init(service: &str) -> Result<Telemetry, InitError> {
    Telemetry::builder().default_service_name(service).install()
}

/// Describes telemetry; [`TelemetryBuilder::install`] starts it.
#[derive(Default)]
#[must_use = "nothing starts before `install` or `build`"]
pub struct TelemetryBuilder {
    pub(crate) overrides: Overrides,
    pub(crate) environment: Option<Environment>,
    pub(crate) defaults: Defaults,
    pub(crate) deny: DenyList,
    pub(crate) insecure_hosts: Vec<String>,
    pub(crate) options: Options,
    pub(crate) shutdown_on_signal: bool,
    pub(crate) hook: Option<Hook>,
}

impl std::fmt::Debug for TelemetryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets: only what was called is shown.
        f.debug_struct("TelemetryBuilder")
            .field("set", &self.overrides.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl TelemetryBuilder {
    fn set(
        mut self,
        variable: impl Into<String>,
        method: &'static str,
        value: impl Into<String>,
    ) -> Self {
        self.overrides.insert(variable.into(), (method, value.into()));
        self
    }

    /// The name of the service where neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES says one.
    pub fn default_service_name(mut self, name: impl Into<String>) -> Self {
        self.defaults.service = Some(name.into());
        self
    }

    /// The version of the service where OTEL_RESOURCE_ATTRIBUTES says none.
    pub fn default_service_version(mut self, version: impl Into<String>) -> Self {
        self.defaults.version = Some(version.into());
        self
    }

    /// The namespace of the service where OTEL_RESOURCE_ATTRIBUTES says none.
    pub fn default_service_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.defaults.namespace = Some(namespace.into());
        self
    }

    /// The name of the service, whatever the environment says.
    pub fn override_service_name(self, name: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", s::SERVICE_NAME), "service_name", name)
    }

    /// The version of the service, whatever the environment says.
    pub fn override_service_version(self, version: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", s::SERVICE_VERSION), "service_version", version)
    }

    /// The namespace of the service, whatever the environment says.
    pub fn override_service_namespace(self, namespace: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", s::SERVICE_NAMESPACE), "service_namespace", namespace)
    }

    /// `deployment.environment.name`: `production`, `staging`, …
    pub fn deployment_environment(self, name: impl Into<String>) -> Self {
        self.set(
            format!("attribute:{}", s::DEPLOYMENT_ENVIRONMENT_NAME),
            "deployment_environment",
            name,
        )
    }

    /// An attribute of the resource.
    pub fn resource_attribute(self, key: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", key.as_ref()), "resource_attribute", value)
    }

    /// Where the Collector listens, for all signals: `http://localhost:4317`. OTEL_EXPORTER_OTLP_ENDPOINT.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        self.set("OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint", url)
    }

    /// Where the Collector of one signal listens; used as it is.
    pub fn signal_endpoint(self, signal: Signal, url: impl Into<String>) -> Self {
        self.set(format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.upper()), "signal_endpoint", url)
    }

    /// How OTLP travels. OTEL_EXPORTER_OTLP_PROTOCOL.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.set("OTEL_EXPORTER_OTLP_PROTOCOL", "protocol", protocol.as_str())
    }

    /// A header of every request; it may be called several times. OTEL_EXPORTER_OTLP_HEADERS.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        use percent_encoding::NON_ALPHANUMERIC;
        use percent_encoding::utf8_percent_encode;
        let pair =
            format!("{}={}", name.as_ref(), utf8_percent_encode(value.as_ref(), NON_ALPHANUMERIC));
        let entry = self
            .overrides
            .entry("OTEL_EXPORTER_OTLP_HEADERS".to_owned())
            .or_insert(("header", String::new()));
        if !entry.1.is_empty() {
            entry.1.push(',');
        }
        entry.1.push_str(&pair);
        self
    }

    /// How long one attempt may take. OTEL_EXPORTER_OTLP_TIMEOUT, 10 s by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set("OTEL_EXPORTER_OTLP_TIMEOUT", "timeout", timeout.as_millis().to_string())
    }

    /// What requests are packed with. OTEL_EXPORTER_OTLP_COMPRESSION.
    pub fn compression(self, compression: Compression) -> Self {
        self.set("OTEL_EXPORTER_OTLP_COMPRESSION", "compression", compression.as_str())
    }

    /// The certificates to trust, in a PEM file. OTEL_EXPORTER_OTLP_CERTIFICATE.
    pub fn certificate(self, pem: impl AsRef<Path>) -> Self {
        self.set(
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "certificate",
            pem.as_ref().display().to_string(),
        )
    }

    /// What this program shows to the Collector, in PEM files. OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _KEY.
    pub fn client_certificate(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.set(
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "client_certificate",
            certificate.as_ref().display().to_string(),
        )
        .set(
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "client_certificate",
            key.as_ref().display().to_string(),
        )
    }

    /// Where a signal goes; nowhere, when the list is empty. OTEL_TRACES_EXPORTER and its siblings.
    pub fn exporters(self, signal: Signal, exporters: impl IntoIterator<Item = Exporter>) -> Self {
        let list: Vec<_> = exporters.into_iter().map(Exporter::as_str).collect();
        let list = if list.is_empty() { "none".to_owned() } else { list.join(",") };
        self.set(format!("OTEL_{}_EXPORTER", signal.upper()), "exporters", list)
    }

    /// Where `/metrics` is served; port 0 takes any free one. OTEL_EXPORTER_PROMETHEUS_HOST and _PORT.
    pub fn prometheus(self, host: impl Into<String>, port: u16) -> Self {
        self.set("OTEL_EXPORTER_PROMETHEUS_HOST", "prometheus", host).set(
            "OTEL_EXPORTER_PROMETHEUS_PORT",
            "prometheus",
            port.to_string(),
        )
    }

    /// Any of the variables of the table in `docs/configuration.md`, as if it were set, and stronger than one that is.
    pub fn set_var(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(name, "variable", value)
    }

    /// These variables instead of the process' environment: what tests use.
    pub fn env_source<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment = Some(Environment::of(variables));
        self
    }

    /// How long shutdown delivers, over all signals; 5 s by default.
    pub fn shutdown_timeout(self, timeout: Duration) -> Self {
        self.set("HUB_OTEL_SHUTDOWN_TIMEOUT", "shutdown_timeout", timeout.as_millis().to_string())
    }

    /// On SIGTERM and SIGINT: deliver, then end the program as the signal would have. Off by default; a program that
    /// shuts down in an orderly way waits for [`crate::shutdown_signal`] instead.
    pub fn shutdown_on_signal(mut self, on: bool) -> Self {
        self.shutdown_on_signal = on;
        self
    }

    /// `false`: a success leaves the span's status unset.
    pub fn ok_status(mut self, on: bool) -> Self {
        self.options.ok_status = on;
        self
    }

    /// The attributes of the GenAI conventions on every unit. Off by default: they are still being renamed.
    pub fn gen_ai(mut self, on: bool) -> Self {
        self.options.gen_ai = on;
        self
    }

    /// An attribute key whose values never leave the process, besides those that look like passwords or tokens.
    pub fn deny_attribute(mut self, key: impl Into<String>) -> Self {
        self.deny.denied.push(key.into());
        self
    }

    /// An attribute key whose values are harmless although it looks like a secret's.
    pub fn allow_attribute(mut self, key: impl Into<String>) -> Self {
        self.deny.allowed.push(key.into());
        self
    }

    /// A host that may be sent credentials over plain http.
    pub fn allow_insecure_credentials(mut self, host: impl Into<String>) -> Self {
        self.insecure_hosts.push(host.into());
        self
    }

    /// Called before each attempt to export, on the export thread: it may panic, for a test of what survives that.
    #[cfg(feature = "testing")]
    pub fn before_export(mut self, hook: impl Fn(Signal) + Send + Sync + 'static) -> Self {
        self.hook = Some(std::sync::Arc::new(hook));
        self
    }

    /// The settings as they will be used, without starting anything.
    ///
    /// # Errors
    /// When a setting is wrong: all that are, at once.
    pub fn config(&self) -> Result<Config, InitError> {
        Ok(self.resolve()?.0)
    }

    pub(crate) fn resolve(&self) -> Result<(Config, Environment), InitError> {
        let environment = self.environment.clone().unwrap_or_else(Environment::of_the_process);
        let config = Config::resolve(
            &self.overrides,
            &environment,
            &self.defaults,
            self.deny.clone(),
            &self.insecure_hosts,
        )?;
        Ok((config, environment))
    }

    /// Starts an instance that touches nothing global: what tests use, side by side in one process.
    ///
    /// # Errors
    /// When settings are wrong (all of them are named), when the thread cannot be started, or when the port that was
    /// chosen for `/metrics` is taken.
    pub fn build(self) -> Result<Telemetry, InitError> {
        pipeline::build(self)
    }

    /// Starts an instance and makes it the process' own: global providers, the propagator, and a `tracing` subscriber
    /// where there is none yet.
    ///
    /// # Errors
    /// As [`TelemetryBuilder::build`]; and when another one is installed already: nothing is ever replaced.
    pub fn install(self) -> Result<Telemetry, InitError> {
        // Before anything is started: the port of `/metrics` is the first one's.
        if instance::current().is_some() {
            return Err(InitError::already_installed());
        }
        let telemetry = pipeline::build(self)?;
        telemetry.install()?;
        Ok(telemetry)
    }
}
