//! The guard: what `init` gives back, and what delivers everything when it ends.

use crate::config::{Config, Exporter, Signal};
use crate::export::pipeline;
use crate::instance;
use crate::instance::Instance;
use crate::telemetry::error::InitError;
use crate::telemetry::health::Health;
use crate::telemetry::report::Report;
use crate::telemetry::shutdown::{GRACE, Inner};
use crate::telemetry::subscriber;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
#[cfg(feature = "process")]
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// How long a guard that is merely dropped delivers.
const DROP: Duration = Duration::from_secs(2);
/// Running telemetry. Keep it until the program ends: dropping it shuts telemetry down.
///
/// Everything that it does happens on a thread of its own, so that each call works from any runtime, from none, from
/// `Drop` and from a panic hook.
#[must_use = "dropping the guard shuts telemetry down"]
pub struct Telemetry {
    inner: Option<Arc<Inner>>,
    config: Arc<Config>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("status", &self.health()).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// A builder with every setting unset: the environment and the defaults apply.
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
    pub fn builder() -> crate::TelemetryBuilder {
        crate::TelemetryBuilder::default()
    }

    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        let config = Arc::new(inner.config.clone());
        Self { inner: Some(inner), config }
    }

    /// Telemetry that does nothing.
    pub(crate) fn inert(config: Config) -> Self {
        Self { inner: None, config: Arc::new(config) }
    }

    /// What units of work record into; `None` when telemetry is disabled.
    pub(crate) fn instance(&self) -> Option<&Arc<Instance>> {
        self.inner.as_ref().map(|inner| &inner.instance)
    }

    pub(crate) fn inner(&self) -> Option<&Arc<Inner>> {
        self.inner.as_ref()
    }

    /// The settings that are in force. Printing them shows no secret.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where each signal goes.
    #[must_use]
    pub fn health(&self) -> Health {
        let words = |signal: Signal| {
            let places: Vec<_> = self
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
                .collect();
            if places.is_empty() { "nowhere".to_owned() } else { places.join(" and ") }
        };
        Health {
            enabled: self.inner.is_some(),
            metrics_addr: self.metrics_addr(),
            traces: words(Signal::Traces),
            metrics: words(Signal::Metrics),
            logs: words(Signal::Logs),
        }
    }

    /// Where `/metrics` is served.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.inner.as_ref().and_then(|inner| inner.metrics_addr)
    }

    /// The ledger as it stands.
    #[must_use]
    pub fn report(&self) -> Report {
        self.inner.as_ref().map(|inner| inner.report(Duration::ZERO)).unwrap_or_default()
    }

    /// The layer that hands `tracing` events over as log records, to compose with a subscriber of your own.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        if let Some(inner) = &self.inner {
            inner.layered.store(true, Ordering::SeqCst);
        }
        let provider = self.inner.as_ref().and_then(|inner| inner.logs.as_ref());
        subscriber::layer::<S>(provider, &self.config)
    }

    /// Makes this instance the process' own, after `build()`: for a program that sets a subscriber with
    /// [`Telemetry::layer`] in it first. [`Builder::install`](crate::Builder::install) does both at once.
    ///
    /// # Errors
    /// When another instance is installed already: nothing is ever replaced.
    pub fn install(&self) -> Result<(), InitError> {
        let Some(inner) = &self.inner else { return Ok(()) };
        instance::set_global(Arc::clone(&inner.instance))
            .map_err(|_| InitError::already_installed())?;
        inner.installed.store(true, Ordering::SeqCst);
        opentelemetry::global::set_tracer_provider(inner.traces.clone());
        opentelemetry::global::set_meter_provider(inner.metrics.clone());
        opentelemetry::global::set_text_map_propagator(pipeline::propagator(
            inner.instance.options.propagation,
        ));
        inner.voice.say(&format!("Instrumentation started ({})", self.health()));
        let is_set = subscriber::set(inner.logs.as_ref(), &inner.config);
        if !is_set && inner.logs.is_some() && !inner.layered.load(Ordering::SeqCst) {
            inner.voice.say("a tracing subscriber is set already and stays; add `telemetry.layer()` to it to export log records");
        }
        Ok(())
    }

    /// Measures how late timers fire on `application`, the runtime that the program's own work runs on. `init` does so by
    /// itself when it is called on that runtime.
    #[cfg(feature = "process")]
    pub fn monitor_runtime(&self, application: &tokio::runtime::Handle) {
        if let Some(inner) = &self.inner {
            let watch = crate::process::start_sampler(
                &inner.instance,
                Some(application.clone()),
                inner.private.handle(),
            );
            inner.watches.lock().unwrap_or_else(PoisonError::into_inner).push(watch);
        }
    }

    /// Delivers what has ended so far. Returns what became of it; what could not be delivered within the shutdown
    /// timeout stays pending and is tried again.
    pub async fn flush(&self) -> Report {
        let Some(inner) = self.inner.clone() else { return Report::default() };
        if inner.private.is_orphaned() {
            return Report::default();
        }
        let timeout = *inner.config.shutdown_timeout;
        let (done, finished) = tokio::sync::oneshot::channel();
        let handle = inner.private.handle().clone();
        handle.spawn(async move { drop(done.send(inner.flush(timeout).await)) });
        finished.await.unwrap_or_else(|_| self.report())
    }

    /// As [`Telemetry::flush`], for code that cannot wait: it blocks the calling thread.
    pub fn flush_blocking(&self) -> Report {
        let Some(inner) = self.inner.clone() else { return Report::default() };
        if inner.private.is_orphaned() {
            return Report::default();
        }
        let timeout = *inner.config.shutdown_timeout;
        let (done, finished) = std::sync::mpsc::sync_channel(1);
        let handle = inner.private.handle().clone();
        handle.spawn(async move { drop(done.send(inner.flush(timeout).await)) });
        finished.recv_timeout(timeout + GRACE).unwrap_or_else(|_| self.report())
    }

    /// Delivers everything and stops. Takes no longer than the shutdown timeout, 5 s by default.
    ///
    /// # Cancellation
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown(mut self) -> Report {
        let Some(inner) = self.inner.take() else { return Report::default() };
        inner.begin(*inner.config.shutdown_timeout);
        inner.wait().await
    }

    /// As [`Telemetry::shutdown`], for programs without a runtime: it blocks the calling thread.
    pub fn shutdown_blocking(mut self) -> Report {
        let Some(inner) = self.inner.take() else { return Report::default() };
        let timeout = *inner.config.shutdown_timeout;
        inner.begin(timeout);
        inner.wait_blocking(timeout)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let timeout = DROP.min(*inner.config.shutdown_timeout);
            inner.begin(timeout);
            inner.wait_blocking(timeout);
        }
    }
}
