//! Resolution of the builder's settings and the start of telemetry.

use crate::config::Config;
use crate::config::env::Environment;
use crate::export::diagnostics::write_line;
use crate::export::pipeline;
use crate::export::resource::create_resource;
use crate::instance;
use crate::telemetry::builder::TelemetryBuilder;
use crate::telemetry::error::InitError;
use crate::telemetry::guard::Telemetry;
use crate::telemetry::shutdown::ShutdownHandle;
use crate::telemetry::signal::install_shutdown_handlers;
use crate::unit::panic_text;

/// Start.
impl TelemetryBuilder {
    /// Resolves the settings without starting anything, for example for `--print-config`.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().endpoint("localhost:4317");
    /// let error = builder.config().unwrap_err();
    /// assert!(error.to_string().starts_with("builder().endpoint(…) is set to `localhost:4317`"));
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
            self.strict_environment,
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
        config.warnings.iter().for_each(|warning| write_line(warning));
        if *config.disabled || !cfg!(feature = "enabled") {
            return Ok(Telemetry::disabled(config));
        }
        panic_text::install_hook();
        let resource = create_resource(&config, &environment, &self.components.detectors);
        let pipeline = pipeline::build::start(
            config,
            resource,
            self.options,
            self.prices,
            self.before_export,
            self.components,
        )?;
        pipeline.instance.set_carried(self.carried);
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
