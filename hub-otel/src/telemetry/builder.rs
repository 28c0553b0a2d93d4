//! The builder of telemetry: settings in code.

mod exporters;
pub(crate) mod extend;
mod gen_ai;
#[cfg(feature = "live")]
mod live;
mod prices;
mod start;

use crate::config::SPAN_FILTER;
use crate::config::env::Environment;
use crate::config::reader::{Overrides, SET_VAR};
use crate::config::resource::Defaults;
#[cfg(feature = "testing")]
use crate::config::signal::Signal;
use crate::export::components::Components;
use crate::export::retry::BeforeExport;
use crate::gen_ai::prices::Prices;
use crate::options::Options;
use crate::telemetry::error::InitError;
use crate::telemetry::guard::Telemetry;
use crate::telemetry::redaction::DenyList;
use opentelemetry_semantic_conventions::attribute as s;
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
/// `build` and [`config`](Self::config), all at once; those of the environment are ignored with a
/// warning, unless [`strict_environment`](Self::strict_environment) is set.
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
    defaults: Defaults,
    deny: DenyList,
    insecure_hosts: Vec<String>,
    options: Options,
    prices: Prices,
    shutdown_on_signal: bool,
    strict_environment: bool,
    before_export: Option<BeforeExport>,
    components: Components,
    /// Keys of run attributes that are carried as baggage.
    carried: Vec<String>,
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

    /// Sets the port of `/metrics` for the case that OTEL_EXPORTER_PROMETHEUS_PORT is unset.
    /// Default: 9464.
    ///
    /// For programs that run side by side on one host. Unlike a configured port, a default port
    /// that is in use is a warning: the program continues and its metrics are not served.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().default_prometheus_port(9465);
    /// ```
    pub fn default_prometheus_port(mut self, port: u16) -> Self {
        self.defaults.prometheus_port = Some(port);
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

/// Environment.
impl TelemetryBuilder {
    /// Sets a variable of `docs/configuration.md` with precedence over the environment. For
    /// settings without a method of their own.
    ///
    /// A method of this builder and `set_var` with its variable set the same value: the last call
    /// applies. Unlike the methods, a value that the specification lets an implementation ignore is
    /// ignored with a warning, as in the environment.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder()
    ///     .set_var("OTEL_BSP_MAX_QUEUE_SIZE", "65536")
    ///     .set_var("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    ///     .set_var("OTEL_TRACES_SAMPLER_ARG", "0.1");
    /// assert!(builder.config().is_ok());
    /// ```
    pub fn set_var(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(name, SET_VAR, value)
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

    /// Reports every invalid value of the environment as an error.
    ///
    /// Variable: OTEL_HUB_STRICT. Default: `false`, by the OpenTelemetry specification. Unknown
    /// names, numbers out of range and invalid Booleans are ignored, with a warning on stderr: a
    /// cluster sets the same variables for programs in several languages. An invalid endpoint,
    /// header or certificate is always an error, and so is an invalid value of this builder.
    ///
    /// ```
    /// let builder = || hub_otel::Telemetry::builder().env_source([("OTEL_PROPAGATORS", "b3")]);
    /// assert!(builder().config().is_ok());
    /// assert!(builder().strict_environment(true).config().is_err());
    /// ```
    pub fn strict_environment(mut self, on: bool) -> Self {
        self.strict_environment = on;
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
    /// Sets the filter of the exported `tracing` spans, as directives of tracing-subscriber's
    /// EnvFilter. RUST_LOG, which filters log lines and log records, does not apply to them: the
    /// parents of spans do not depend on the level of the log. `off` exports none; units are
    /// exported in any case.
    ///
    /// Variable: OTEL_HUB_SPAN_FILTER. Default: `info`; `off` if RUST_LOG is `off`.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().span_filter("info,sqlx=warn");
    /// ```
    pub fn span_filter(self, directives: impl Into<String>) -> Self {
        self.set(SPAN_FILTER, "span_filter", directives)
    }

    /// Sets whether the spans of the `tracing` crate are exported. Units are exported in any case:
    /// the parent of a unit is then the unit around it. Events stay log records.
    ///
    /// Default: `true`. No variable; OTEL_HUB_SPAN_FILTER with `off` exports no span either. With
    /// `false` the export of spans is not part of the subscriber, and a unit costs less: it is not
    /// the current span of `tracing`, so `.in_current_span()` carries no unit into a task.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().tracing_spans(false);
    /// ```
    pub fn tracing_spans(mut self, on: bool) -> Self {
        self.options.tracing_spans = on;
        self
    }

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
    /// Another signal more than a second later ends the process at once, and so does a signal after
    /// the shutdown. As process 1, which has no default action, it exits with status 128 + the
    /// signal's number. No variable.
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
