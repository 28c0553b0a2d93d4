//! The guard of running telemetry. Shutting it down or dropping it delivers the finished items.

use crate::config::Config;
use crate::config::signal::{Exporter, Signal};
use crate::export::diagnostics;
use crate::instance;
use crate::instance::Instance;
use crate::options::Propagation;
use crate::propagation::custom::CustomPropagators;
use crate::telemetry::builder::TelemetryBuilder;
use crate::telemetry::error::InitError;
use crate::telemetry::health::Health;
use crate::telemetry::report::Report;
use crate::telemetry::shutdown::{GRACE, ShutdownHandle};
use crate::telemetry::subscriber;
use crate::timer::Delay;
use crate::unit::unrecorded;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
#[cfg(feature = "process")]
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// The time limit of the shutdown on drop.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

/// Running telemetry. Keep it until the program ends: dropping it shuts telemetry down.
///
/// All work is done on a separate thread: every method can be called from any async runtime,
/// without a runtime, from `Drop` and from a panic hook. Create it with
/// [`init!`](macro@crate::init), [`init`](crate::init()) or a [builder](Telemetry::builder).
///
/// SIGTERM and SIGINT end a process without running destructors. To deliver in that case as well,
/// set [`TelemetryBuilder::shutdown_on_signal`] or wait for
/// [`shutdown_signal`](crate::shutdown_signal).
///
/// ```no_run
/// fn main() -> Result<(), hub_otel::InitError> {
///     let telemetry = hub_otel::init!()?;
///     // … the program …
///     let report = telemetry.shutdown_blocking();
///     eprintln!("{report}");
///     Ok(())
/// }
/// ```
#[must_use = "dropping the guard shuts telemetry down: keep it with `let telemetry = …`, not `let _ = …`"]
pub struct Telemetry {
    /// `None` if telemetry is disabled or shut down.
    handle: Option<Arc<ShutdownHandle>>,
    config: Arc<Config>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Creates a builder with every setting unset: the environment and the defaults apply.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// // An instance that is not installed and exports nothing.
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .default_service_name("scanner")
    ///     .env_source([
    ///         ("OTEL_TRACES_EXPORTER", "none"),
    ///         ("OTEL_METRICS_EXPORTER", "none"),
    ///         ("OTEL_LOGS_EXPORTER", "none"),
    ///     ])
    ///     .build()?;
    /// assert!(telemetry.shutdown_blocking().is_complete());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> TelemetryBuilder {
        TelemetryBuilder::default()
    }

    pub(crate) fn new(handle: Arc<ShutdownHandle>) -> Self {
        let config = Arc::new(handle.pipeline.config.clone());
        Self { handle: Some(handle), config }
    }

    /// Creates disabled telemetry.
    pub(crate) fn disabled(config: Config) -> Self {
        Self { handle: None, config: Arc::new(config) }
    }

    /// Returns the instance that units of work record into. `None` if telemetry is disabled.
    pub(crate) fn instance(&self) -> Option<&Arc<Instance>> {
        self.handle.as_ref().map(|handle| &handle.pipeline.instance)
    }

    /// Returns the running pipeline. `None` if telemetry is disabled.
    pub(crate) fn handle(&self) -> Option<&Arc<ShutdownHandle>> {
        self.handle.as_ref()
    }

    /// Returns the settings in force. Printing them shows no secret.
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// # let telemetry = hub_otel::Telemetry::builder()
    /// #     .env_source([("OTEL_METRICS_EXPORTER", "none")])
    /// #     .override_service_name("scanner")
    /// #     .build()?;
    /// assert_eq!(telemetry.config().service_name(), "scanner");
    /// println!("{}", telemetry.config());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the destination of each signal, for example for a health endpoint.
    #[must_use]
    pub fn health(&self) -> Health {
        let describe = |signal: Signal| {
            let destinations: Vec<_> = self
                .config
                .exporters(signal)
                .iter()
                .map(|exporter| match exporter {
                    Exporter::Otlp => {
                        let otlp = self.config.otlp(signal);
                        format!("{} ({})", otlp.endpoint.value, otlp.protocol.as_str())
                    }
                    Exporter::Console => "stderr".to_owned(),
                    Exporter::Prometheus => match self.metrics_addr() {
                        Some(address) => format!("http://{address}/metrics"),
                        None => "not served".to_owned(),
                    },
                })
                .chain(self.custom_exporters(signal))
                .collect();
            if destinations.is_empty() { "nowhere".to_owned() } else { destinations.join(" and ") }
        };
        Health {
            enabled: self.handle.is_some(),
            metrics_addr: self.metrics_addr(),
            traces: describe(Signal::Traces),
            metrics: describe(Signal::Metrics),
            logs: describe(Signal::Logs),
        }
    }

    /// Returns the names of the exporters of the application.
    fn custom_exporters(&self, signal: Signal) -> impl Iterator<Item = String> {
        let deliveries = self.handle.iter().flat_map(|handle| &handle.pipeline.deliveries);
        deliveries
            .filter(move |delivery| delivery.signal == signal)
            .filter_map(|delivery| delivery.exporter.as_deref().map(str::to_owned))
    }

    /// Returns the address of `/metrics`. `None` if it is not served.
    ///
    /// Needed with port 0, which selects any free port:
    ///
    /// ```
    /// # fn main() -> Result<(), hub_otel::InitError> {
    /// let telemetry = hub_otel::Telemetry::builder()
    ///     .env_source([("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")])
    ///     .prometheus("127.0.0.1", 0)
    ///     .build()?;
    /// if let Some(address) = telemetry.metrics_addr() {
    ///     println!("metrics: http://{address}/metrics");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.handle.as_ref().and_then(|handle| handle.pipeline.metrics_addr)
    }

    /// Returns the current delivery counts without flushing.
    #[must_use]
    pub fn report(&self) -> Report {
        self.handle
            .as_ref()
            .map(|handle| handle.pipeline.report(Duration::ZERO))
            .unwrap_or_default()
    }

    /// Creates the layer of [`otel::tracing_layer`](crate::otel::tracing_layer), or without spans
    /// the one of [`otel::log_layer`](crate::otel::log_layer).
    pub(crate) fn tracing_layer<S>(
        &self,
        exported: subscriber::Exported,
    ) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        if let Some(handle) = &self.handle {
            handle.has_layer.store(true, Ordering::SeqCst);
        }
        subscriber::layer::<S>(self.handle.as_ref().map(|handle| &handle.pipeline), exported)
    }

    /// Installs this instance for the process: the global OpenTelemetry providers, the propagator,
    /// and a `tracing` subscriber if none is set.
    ///
    /// For programs that set a subscriber with
    /// [`otel::tracing_layer`](crate::otel::tracing_layer) between
    /// [`build`](TelemetryBuilder::build) and this call. Otherwise use
    /// [`TelemetryBuilder::install`].
    ///
    /// After the shutdown of the installed instance, another one can be installed.
    ///
    /// # Errors
    /// Another instance is installed. An installed instance is never replaced while it runs.
    pub fn install(&self) -> Result<(), InitError> {
        let Some(handle) = &self.handle else { return Ok(()) };
        instance::set_global(Arc::clone(&handle.pipeline.instance))
            .map_err(|_| InitError::already_installed())?;
        handle.is_installed.store(true, Ordering::SeqCst);
        // Each setter emits an event, which a subscriber of an earlier installation would print.
        tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
            opentelemetry::global::set_tracer_provider(handle.pipeline.tracer_provider.clone());
            opentelemetry::global::set_meter_provider(handle.pipeline.meter_provider.clone());
            opentelemetry::global::set_text_map_propagator(global_propagator(
                handle.pipeline.instance.options.propagation,
                &handle.pipeline.instance.propagators,
            ));
        });
        let started = format!("Instrumentation started ({})", self.health());
        handle.pipeline.diagnostics.log_at(Level::INFO, &started);
        // On stderr only: an event would carry the token into the application's log.
        #[cfg(feature = "live")]
        if let Some(url) = self.live_url() {
            diagnostics::write_line(&format!("Live view: {url}"));
        }
        if !subscriber::set(&handle.pipeline) {
            if handle.has_layer.load(Ordering::SeqCst) {
                subscriber::forward_log_crate();
            } else {
                handle.pipeline.diagnostics.log(
                    "a tracing subscriber is set already and is kept; add \
                     `hub_otel::otel::tracing_layer(&telemetry)` to it to export its spans and \
                     events",
                );
            }
        }
        unrecorded::report_early_unit();
        diagnostics::flush();
        Ok(())
    }

    /// Measures the scheduling delay of `application`, the runtime of the program's own work.
    ///
    /// Only needed for a runtime that is created later: `build` and `install` monitor the runtime
    /// that they are called on.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let telemetry = hub_otel::init!()?;
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// telemetry.monitor_runtime(runtime.handle());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "process")]
    pub fn monitor_runtime(&self, application: &tokio::runtime::Handle) {
        if let Some(handle) = &self.handle {
            let sampler = crate::process::start_sampler(
                &handle.pipeline.instance,
                Some(application.clone()),
                handle.pipeline.runtime.handle(),
            );
            handle.process_samplers.lock().unwrap_or_else(PoisonError::into_inner).push(sampler);
        }
    }

    /// Exports all items finished so far and returns the delivery counts.
    ///
    /// Takes at most the [shutdown timeout](TelemetryBuilder::shutdown_timeout). Items not
    /// delivered by then stay pending and are retried.
    ///
    /// ```
    /// # async fn flush(telemetry: &hub_otel::Telemetry) {
    /// let report = telemetry.flush().await;
    /// println!("{} spans pending", report.traces.pending);
    /// # }
    /// ```
    pub async fn flush(&self) -> Report {
        let Some(handle) = self.handle.clone() else { return Report::default() };
        if handle.pipeline.runtime.is_orphaned() {
            return Report::default();
        }
        let timeout = *handle.pipeline.config.shutdown_timeout;
        let (sender, report) = tokio::sync::oneshot::channel();
        let runtime = handle.pipeline.runtime.handle().clone();
        runtime.spawn(async move { drop(sender.send(handle.pipeline.flush(timeout).await)) });
        tokio::select! {
            report = report => report.unwrap_or_else(|_| self.report()),
            () = Delay::after(timeout + GRACE) => self.report(),
        }
    }

    /// Exports all items finished so far and blocks the calling thread. See [`Telemetry::flush`].
    pub fn flush_blocking(&self) -> Report {
        let Some(handle) = self.handle.clone() else { return Report::default() };
        if handle.pipeline.runtime.is_orphaned() {
            return Report::default();
        }
        let timeout = *handle.pipeline.config.shutdown_timeout;
        let (sender, report) = std::sync::mpsc::sync_channel(1);
        let runtime = handle.pipeline.runtime.handle().clone();
        runtime.spawn(async move { drop(sender.send(handle.pipeline.flush(timeout).await)) });
        report.recv_timeout(timeout + GRACE).unwrap_or_else(|_| self.report())
    }

    /// Exports all finished items, stops the export thread and returns the delivery counts.
    ///
    /// Takes at most the [shutdown timeout](TelemetryBuilder::shutdown_timeout), 5 s by default.
    /// Workflows and agents that are still in progress end CANCELLED, with
    /// `hub_otel.ended_by = "shutdown"`; those of tasks that were just aborted end by themselves.
    /// Items that finish afterwards are counted as dropped.
    ///
    /// # Cancellation
    /// Dropping the future does not stop the shutdown.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), hub_otel::InitError> {
    /// let telemetry = hub_otel::init!()?;
    /// // … the program …
    /// let report = telemetry.shutdown().await;
    /// assert!(report.is_complete(), "{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(mut self) -> Report {
        let Some(handle) = self.handle.take() else { return Report::default() };
        let timeout = *handle.pipeline.config.shutdown_timeout;
        handle.begin(timeout);
        handle.wait(timeout).await
    }

    /// Shuts down and blocks the calling thread, for programs without an async runtime. See
    /// [`Telemetry::shutdown`].
    pub fn shutdown_blocking(mut self) -> Report {
        let Some(handle) = self.handle.take() else { return Report::default() };
        let timeout = *handle.pipeline.config.shutdown_timeout;
        handle.begin(timeout);
        handle.wait_blocking(timeout)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            let timeout = DROP_TIMEOUT.min(*handle.pipeline.config.shutdown_timeout);
            handle.begin(timeout);
            handle.wait_blocking(timeout);
            if handle.is_installed.load(Ordering::SeqCst) {
                instance::expect_no_unit();
            }
        }
    }
}

/// Creates the propagator for users of OpenTelemetry's global one, by OTEL_PROPAGATORS and of the
/// application's own.
fn global_propagator(
    propagation: Propagation,
    custom: &CustomPropagators,
) -> TextMapCompositePropagator {
    // The last one takes precedence: those of W3C.
    let mut propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> = custom.boxed().collect();
    if propagation.trace_context {
        propagators.push(Box::new(TraceContextPropagator::new()));
    }
    if propagation.baggage == Some(true) {
        propagators.push(Box::new(BaggagePropagator::new()));
    }
    TextMapCompositePropagator::new(propagators)
}
