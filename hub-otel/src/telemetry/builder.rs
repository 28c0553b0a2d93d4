//! The builder of telemetry: settings in code.

use crate::config::Config;
use crate::config::env::Environment;
use crate::config::otlp::{Compression, Protocol};
use crate::config::reader::Overrides;
use crate::config::resource::ServiceDefaults;
use crate::config::signal::{Exporter, Signal};
use crate::export::pipeline;
use crate::export::resource::create_resource;
use crate::export::retry::BeforeExport;
use crate::instance;
use crate::options::Options;
use crate::telemetry::error::InitError;
use crate::telemetry::guard::Telemetry;
use crate::telemetry::redaction::DenyList;
use crate::telemetry::shutdown::ShutdownHandle;
use crate::telemetry::signal::install_shutdown_handlers;
use opentelemetry_semantic_conventions::attribute as s;
use std::path::Path;
use std::time::Duration;

/// Starts telemetry with the default service name `service` and installs it for the process.
///
/// Short for `Telemetry::builder().default_service_name(service).install()`. OTEL_SERVICE_NAME and
/// `service.name` in OTEL_RESOURCE_ATTRIBUTES take precedence over `service`. The macro
/// [`init!`](macro@crate::init) uses the name and the version of the calling crate.
///
/// ```no_run
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let telemetry = hub_otel::init("scanner")?;
/// // … the program …
/// telemetry.shutdown_blocking();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// See [`TelemetryBuilder::install`].
pub fn init(service: &str) -> Result<Telemetry, InitError> {
    Telemetry::builder().default_service_name(service).install()
}

/// Builder of [`Telemetry`]. Started by [`install`](Self::install) or [`build`](Self::build).
///
/// Precedence of settings, highest first: the methods of this builder, the environment, the
/// `default_…` methods, the defaults of this crate. Invalid values are reported by `install`,
/// `build` and [`config`](Self::config), all at once.
///
/// ```
/// use hub_otel::{Compression, Exporter, Protocol, Signal, Telemetry};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), hub_otel::InitError> {
/// let builder = Telemetry::builder()
///     .env_source([("OTEL_SERVICE_NAME", "from-environment")])
///     .default_service_name("scanner")
///     .deployment_environment("staging")
///     .endpoint("http://localhost:4317")
///     .protocol(Protocol::Grpc)
///     .compression(Compression::Gzip)
///     .exporters(Signal::Metrics, [Exporter::Console])
///     .shutdown_timeout(Duration::from_secs(3));
/// // `config` shows the result without starting anything.
/// assert_eq!(builder.config()?.service_name(), "from-environment");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "telemetry is started by `install` or `build`"]
pub struct TelemetryBuilder {
    overrides: Overrides,
    environment: Option<Environment>,
    defaults: ServiceDefaults,
    deny: DenyList,
    insecure_hosts: Vec<String>,
    options: Options,
    shutdown_on_signal: bool,
    before_export: Option<BeforeExport>,
}

impl std::fmt::Debug for TelemetryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names only: values may be secret.
        f.debug_struct("TelemetryBuilder")
            .field("set", &self.overrides.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Service and resource.
impl TelemetryBuilder {
    /// Sets the service name for the case that the environment sets none.
    ///
    /// Precedence, highest first: [`override_service_name`](Self::override_service_name),
    /// OTEL_SERVICE_NAME, `service.name` in OTEL_RESOURCE_ATTRIBUTES, this default,
    /// `unknown_service:<program>`.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let named = |variables: &[(&str, &str)]| {
    ///     hub_otel::Telemetry::builder()
    ///         .env_source(variables.iter().copied())
    ///         .default_service_name("scanner")
    /// };
    /// assert_eq!(named(&[]).config()?.service_name(), "scanner");
    /// let staging = named(&[("OTEL_SERVICE_NAME", "scanner-staging")]);
    /// assert_eq!(staging.config()?.service_name(), "scanner-staging");
    /// # Ok(())
    /// # }
    /// ```
    pub fn default_service_name(mut self, name: impl Into<String>) -> Self {
        self.defaults.name = Some(name.into());
        self
    }

    /// Sets `service.version` for the case that OTEL_RESOURCE_ATTRIBUTES sets none. Unset by
    /// default.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .default_service_version(env!("CARGO_PKG_VERSION"));
    /// ```
    pub fn default_service_version(mut self, version: impl Into<String>) -> Self {
        self.defaults.version = Some(version.into());
        self
    }

    /// Sets `service.namespace` for the case that OTEL_RESOURCE_ATTRIBUTES sets none. Unset by
    /// default.
    pub fn default_service_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.defaults.namespace = Some(namespace.into());
        self
    }

    /// Sets the service name with precedence over OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
    ///
    /// Usually [`default_service_name`](Self::default_service_name) is the better choice: it lets
    /// the deployment rename the service.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let config = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_SERVICE_NAME", "from-environment")])
    ///     .override_service_name("scanner")
    ///     .config()?;
    /// assert_eq!(config.service_name(), "scanner");
    /// # Ok(())
    /// # }
    /// ```
    pub fn override_service_name(self, name: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", s::SERVICE_NAME), "override_service_name", name)
    }

    /// Sets `service.version` with precedence over OTEL_RESOURCE_ATTRIBUTES.
    pub fn override_service_version(self, version: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", s::SERVICE_VERSION), "override_service_version", version)
    }

    /// Sets `service.namespace` with precedence over OTEL_RESOURCE_ATTRIBUTES.
    pub fn override_service_namespace(self, namespace: impl Into<String>) -> Self {
        self.set(
            format!("attribute:{}", s::SERVICE_NAMESPACE),
            "override_service_namespace",
            namespace,
        )
    }

    /// Sets the resource attribute `deployment.environment.name`: `production`, `staging`, …
    /// Takes precedence over OTEL_RESOURCE_ATTRIBUTES. Unset by default.
    pub fn deployment_environment(self, name: impl Into<String>) -> Self {
        self.set(
            format!("attribute:{}", s::DEPLOYMENT_ENVIRONMENT_NAME),
            "deployment_environment",
            name,
        )
    }

    /// Sets a resource attribute. Takes precedence over OTEL_RESOURCE_ATTRIBUTES and detected
    /// attributes.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .resource_attribute("cloud.region", "eu-central-1")
    ///     .resource_attribute("team.name", "security");
    /// ```
    pub fn resource_attribute(self, key: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.set(format!("attribute:{}", key.as_ref()), "resource_attribute", value)
    }
}

/// Exporters and OTLP.
impl TelemetryBuilder {
    /// Sets the exporters of a signal. An empty list disables the export of the signal.
    ///
    /// Variables: OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER. Default: OTLP
    /// for traces and logs, Prometheus for metrics.
    ///
    /// ```
    /// use hub_otel::{Exporter, Signal};
    ///
    /// let builder = hub_otel::Telemetry::builder()
    ///     .exporters(Signal::Traces, [Exporter::Console])
    ///     .exporters(Signal::Metrics, [Exporter::Otlp, Exporter::Prometheus])
    ///     .exporters(Signal::Logs, []);
    /// ```
    pub fn exporters(self, signal: Signal, exporters: impl IntoIterator<Item = Exporter>) -> Self {
        let names: Vec<_> = exporters.into_iter().map(Exporter::as_str).collect();
        let value = if names.is_empty() { "none".to_owned() } else { names.join(",") };
        self.set(format!("OTEL_{}_EXPORTER", signal.upper()), "exporters", value)
    }

    /// Sets the OTLP endpoint of all signals.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_ENDPOINT. Default: `http://localhost:4317` for gRPC,
    /// `http://localhost:4318` for HTTP. Over HTTP, the path of the signal (`/v1/traces`) is
    /// appended. `https://` requires the feature `otlp-tls`.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// use hub_otel::Signal;
    ///
    /// let config = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_SERVICE_NAME", "scanner")])
    ///     .endpoint("http://collector:4317")
    ///     .config()?;
    /// assert_eq!(config.collector(Signal::Traces).as_deref(), Some("http://collector:4317"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        self.set("OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint", url)
    }

    /// Sets the OTLP endpoint of one signal. Takes precedence over [`endpoint`](Self::endpoint);
    /// the URL is used without an appended path.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its siblings.
    ///
    /// ```
    /// use hub_otel::{Protocol, Signal};
    ///
    /// let builder = hub_otel::Telemetry::builder()
    ///     .protocol(Protocol::HttpProtobuf)
    ///     .endpoint("http://collector:4318")
    ///     .signal_endpoint(Signal::Logs, "http://loki:3100/otlp/v1/logs");
    /// ```
    pub fn signal_endpoint(self, signal: Signal, url: impl Into<String>) -> Self {
        self.set(format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.upper()), "signal_endpoint", url)
    }

    /// Sets the OTLP protocol of all signals.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_PROTOCOL. Default: gRPC; HTTP with protobuf if only the feature
    /// `otlp-http` is enabled. A protocol whose feature is not enabled is an error.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.set("OTEL_EXPORTER_OTLP_PROTOCOL", "protocol", protocol.as_str())
    }

    /// Adds a header to all OTLP requests. May be called several times.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_HEADERS. The first call replaces the variable's headers. The
    /// value is not percent-encoded by the caller. A credential over plain http to another host is
    /// an error, see [`allow_insecure_credentials`](Self::allow_insecure_credentials).
    ///
    /// ```
    /// # fn api_key() -> String { "secret".to_owned() }
    /// let builder = hub_otel::Telemetry::builder()
    ///     .endpoint("https://otlp.example.com")
    ///     .header("x-api-key", api_key())
    ///     .header("x-tenant", "team a");
    /// ```
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        use percent_encoding::NON_ALPHANUMERIC;
        use percent_encoding::utf8_percent_encode;
        let pair =
            format!("{}={}", name.as_ref(), utf8_percent_encode(value.as_ref(), NON_ALPHANUMERIC));
        let (_, headers) = self
            .overrides
            .entry("OTEL_EXPORTER_OTLP_HEADERS".to_owned())
            .or_insert(("header", String::new()));
        if !headers.is_empty() {
            headers.push(',');
        }
        headers.push_str(&pair);
        self
    }

    /// Sets the timeout of one export attempt. Precision: 1 ms; range: 1 ms to 1 h.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_TIMEOUT. Default: 10 s. Retries are not limited by it: a batch
    /// is retried until it is delivered, rejected, or the shutdown deadline passes.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set("OTEL_EXPORTER_OTLP_TIMEOUT", "timeout", timeout.as_millis().to_string())
    }

    /// Sets the request compression of all signals.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_COMPRESSION. Default: none.
    pub fn compression(self, compression: Compression) -> Self {
        self.set("OTEL_EXPORTER_OTLP_COMPRESSION", "compression", compression.as_str())
    }

    /// Sets the PEM file of the trusted certificates, which replace the public roots.
    ///
    /// Variable: OTEL_EXPORTER_OTLP_CERTIFICATE. Default: the roots of the crate `webpki-roots`.
    /// Requires the feature `otlp-tls`. The file is read by `install` and `build`.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .endpoint("https://collector:4317")
    ///     .certificate("/etc/ssl/internal-ca.pem")
    ///     .client_certificate("/etc/scanner/tls.crt", "/etc/scanner/tls.key");
    /// ```
    pub fn certificate(self, pem: impl AsRef<Path>) -> Self {
        self.set(
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "certificate",
            pem.as_ref().display().to_string(),
        )
    }

    /// Sets the client certificate and key (PEM files) for mTLS.
    ///
    /// Variables: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY. Default:
    /// none. Requires the feature `otlp-tls`.
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

    /// Sets the address of `/metrics`. Port 0 selects any free port, see
    /// [`Telemetry::metrics_addr`].
    ///
    /// Variables: OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT. Default:
    /// `127.0.0.1`, 9464. A configured port that is in use is an error; the default port in use is
    /// a warning.
    ///
    /// ```
    /// // For a scrape from another host.
    /// let builder = hub_otel::Telemetry::builder().prometheus("0.0.0.0", 9464);
    /// ```
    pub fn prometheus(self, host: impl Into<String>, port: u16) -> Self {
        self.set("OTEL_EXPORTER_PROMETHEUS_HOST", "prometheus", host).set(
            "OTEL_EXPORTER_PROMETHEUS_PORT",
            "prometheus",
            port.to_string(),
        )
    }
}

/// Environment.
impl TelemetryBuilder {
    /// Sets a variable of `docs/configuration.md` with precedence over the environment. For
    /// settings without a method of their own.
    ///
    /// A method of this builder and `set_var` with its variable set the same value: the last call
    /// applies.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .set_var("OTEL_BSP_MAX_QUEUE_SIZE", "65536")
    ///     .set_var("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    ///     .set_var("OTEL_TRACES_SAMPLER_ARG", "0.1");
    /// assert!(builder.config().is_ok());
    /// ```
    pub fn set_var(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(name, "set_var", value)
    }

    /// Replaces the process environment by `variables`, for tests. The methods of this builder
    /// still take precedence.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let config = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_SERVICE_NAME", "scanner")])
    ///     .config()?;
    /// assert_eq!(config.service_name(), "scanner");
    /// # Ok(())
    /// # }
    /// ```
    pub fn env_source<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment = Some(Environment::from_variables(variables));
        self
    }

    fn set(
        mut self,
        variable: impl Into<String>,
        method: &'static str,
        value: impl Into<String>,
    ) -> Self {
        self.overrides.insert(variable.into(), (method, value.into()));
        self
    }
}

/// Shutdown, spans and redaction.
impl TelemetryBuilder {
    /// Sets the time limit of the shutdown, over all signals. Precision: 1 ms; range: 1 ms to 1 h.
    ///
    /// Variable: HUB_OTEL_SHUTDOWN_TIMEOUT. Default: 5 s. A dropped guard takes at most 2 s of it.
    pub fn shutdown_timeout(self, timeout: Duration) -> Self {
        self.set("HUB_OTEL_SHUTDOWN_TIMEOUT", "shutdown_timeout", timeout.as_millis().to_string())
    }

    /// Shuts telemetry down on SIGTERM and SIGINT, then ends the process by the same signal.
    ///
    /// Default: `false`, no handler is installed and a signal loses the undelivered items. A
    /// service with an orderly stop waits for [`shutdown_signal`](crate::shutdown_signal) instead.
    /// No variable.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .default_service_name("worker")
    ///     .shutdown_on_signal(true)
    ///     .install()?;
    /// # drop(telemetry);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown_on_signal(mut self, on: bool) -> Self {
        self.shutdown_on_signal = on;
        self
    }

    /// Sets whether a successful unit has the span status `Ok`. `false` leaves it unset.
    ///
    /// Default: `true`. No variable.
    pub fn ok_status(mut self, on: bool) -> Self {
        self.options.ok_status = on;
        self
    }

    /// Adds the attributes of the GenAI semantic conventions to every unit.
    ///
    /// Variable: OTEL_SEMCONV_STABILITY_OPT_IN with `gen_ai_latest_experimental`. Default: `false`,
    /// because the conventions are in development.
    pub fn gen_ai(mut self, on: bool) -> Self {
        self.options.gen_ai = on;
        self
    }

    /// Adds an attribute key whose values are redacted, in addition to keys that look like secrets.
    ///
    /// May be called several times. No variable. Keys are compared without case; `.` and `_` are
    /// equal.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .deny_attribute("customer.email")
    ///     // Redacted by default, because of the word `token`.
    ///     .allow_attribute("page.token");
    /// ```
    pub fn deny_attribute(mut self, key: impl Into<String>) -> Self {
        self.deny.denied.push(key.into());
        self
    }

    /// Exempts an attribute key from redaction. Takes precedence over
    /// [`deny_attribute`](Self::deny_attribute). May be called several times. No variable.
    pub fn allow_attribute(mut self, key: impl Into<String>) -> Self {
        self.deny.allowed.push(key.into());
        self
    }

    /// Allows credentials in OTLP headers over plain http to `host`. May be called several times.
    ///
    /// Variable: HUB_OTEL_ALLOW_INSECURE_CREDENTIALS, a list of hosts. Default: none; a credential
    /// over plain http to any host other than this machine is an error.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .endpoint("http://collector.internal:4317")
    ///     .header("authorization", "Bearer secret")
    ///     .allow_insecure_credentials("collector.internal");
    /// assert!(builder.config().is_ok());
    /// ```
    pub fn allow_insecure_credentials(mut self, host: impl Into<String>) -> Self {
        self.insecure_hosts.push(host.into());
        self
    }

    /// Sets a hook that is called on the export thread before each export attempt, for tests. It
    /// may panic, which simulates a panic of the exporter.
    #[cfg(feature = "testing")]
    pub fn before_export(mut self, hook: impl Fn(Signal) + Send + Sync + 'static) -> Self {
        self.before_export = Some(std::sync::Arc::new(hook));
        self
    }
}

/// Start.
impl TelemetryBuilder {
    /// Resolves the settings without starting anything, for example for `--print-config`.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().env_source([("OTEL_BSP_MAX_QUEUE_SIZE", "0")]);
    /// let error = builder.config().unwrap_err();
    /// assert!(error.to_string().starts_with("OTEL_BSP_MAX_QUEUE_SIZE is set to `0`"));
    /// ```
    ///
    /// # Errors
    /// Settings are invalid. The error lists all of them.
    pub fn config(&self) -> Result<Config, InitError> {
        Ok(self.resolve()?.0)
    }

    fn resolve(&self) -> Result<(Config, Environment), InitError> {
        let environment = self.environment.clone().unwrap_or_else(Environment::from_process);
        let config = Config::resolve(
            &self.overrides,
            &environment,
            &self.defaults,
            self.deny.clone(),
            &self.insecure_hosts,
        )?;
        Ok((config, environment))
    }

    /// Starts telemetry without installing it: no global state is changed. Several instances can
    /// run in one process, for example one per test.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_METRICS_EXPORTER", "none")])
    ///     .build()?;
    /// assert!(telemetry.shutdown_blocking().is_complete());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Settings are invalid, the export thread cannot be started, or the configured port of
    /// `/metrics` is in use. [`InitError::kind`] distinguishes them.
    pub fn build(self) -> Result<Telemetry, InitError> {
        let (config, environment) = self.resolve()?;
        if *config.disabled || !cfg!(feature = "enabled") {
            return Ok(Telemetry::disabled(config));
        }
        let resource = create_resource(&config, &environment);
        let pipeline = pipeline::build::start(config, resource, self.options, self.before_export)?;
        let handle = ShutdownHandle::new(pipeline);
        if self.shutdown_on_signal {
            install_shutdown_handlers(&handle)?;
        }
        Ok(Telemetry::new(handle))
    }

    /// Starts telemetry and installs it for the process: the global OpenTelemetry providers, the
    /// propagator, and a `tracing` subscriber if none is set.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .default_service_name("scanner")
    ///     .install()?;
    /// # drop(telemetry);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`build`](Self::build), and if another instance is installed: it is never replaced.
    pub fn install(self) -> Result<Telemetry, InitError> {
        // Checked before anything starts: the port of `/metrics` belongs to the first instance.
        if instance::current().is_some() {
            return Err(InitError::already_installed());
        }
        let telemetry = self.build()?;
        telemetry.install()?;
        Ok(telemetry)
    }
}
