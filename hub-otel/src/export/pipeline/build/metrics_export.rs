//! The push of metrics, and the server of `/metrics`.

use crate::config::signal::{Exporter, Signal};
use crate::export::accounting::Accounting;
use crate::export::delivery::Delivery;
#[cfg(feature = "prometheus")]
use crate::export::metrics;
use crate::export::metrics::ManualMetricReader;
use crate::export::metrics::periodic_push::{Destination, FlushRequest, PeriodicPush};
#[cfg(feature = "prometheus")]
use crate::export::metrics::{prometheus::MetricsHandler, scrapes::Scrapes};
use crate::export::pipeline::build::BuildContext;
#[cfg(feature = "prometheus")]
use crate::metrics::UnitMetrics;
use crate::telemetry::error::InitError;
use opentelemetry_sdk::metrics::Temporality;
#[cfg(feature = "prometheus")]
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

impl BuildContext {
    /// Starts the push of metrics, if they are exported by OTLP or printed.
    pub(super) fn metric_push(
        &mut self,
    ) -> Result<Option<(ManualMetricReader, Arc<FlushRequest>)>, InitError> {
        let exporter = self.exporter(Signal::Metrics)?;
        let prints = self.config.exports(Signal::Metrics, Exporter::Console);
        if exporter.is_none() && !prints {
            return Ok(None);
        }
        let accounting = Arc::<Accounting>::default();
        if exporter.is_some() {
            let accounting = Arc::clone(&accounting);
            self.deliveries.push(Delivery { signal: Signal::Metrics, exporter: None, accounting });
        }
        let protocol = *self.config.otlp(Signal::Metrics).protocol;
        let destination = Destination::Own { exporter, protocol, prints };
        Ok(Some(self.start_push(*self.config.temporality, accounting, destination)))
    }

    /// Starts a periodic push to `destination`.
    pub(super) fn start_push(
        &mut self,
        temporality: Temporality,
        accounting: Arc<Accounting>,
        destination: Destination,
    ) -> (ManualMetricReader, Arc<FlushRequest>) {
        let flush_request = Arc::<FlushRequest>::default();
        let reader = ManualMetricReader::new(temporality);
        let push = PeriodicPush {
            reader: reader.clone(),
            observers: Arc::clone(&self.observers),
            accounting,
            destination,
            deny: self.config.deny.clone(),
            diagnostics: Arc::clone(&self.diagnostics),
            interval: *self.config.metric_interval,
            timeout: *self.config.metric_timeout,
            phase: self.phase.clone(),
            flush_request: Arc::clone(&flush_request),
        };
        self.spawn(push.run());
        (reader, flush_request)
    }

    /// Serves `/metrics`. Returns the address. Without `units`, the metrics of units are read from
    /// the SDK.
    #[cfg(feature = "prometheus")]
    pub(super) fn serve(
        &mut self,
        listener: TcpListener,
        reader: ManualMetricReader,
        units: Option<Arc<UnitMetrics>>,
        is_pushed: bool,
    ) -> (Option<SocketAddr>, Option<tokio::task::JoinHandle<()>>) {
        let address = listener.local_addr().ok();
        if self.config.exports(Signal::Metrics, Exporter::Otlp) {
            self.diagnostics.log(
                "metrics are pulled by scrapes and pushed by OTLP: a Prometheus that gets both \
                 counts everything twice; set OTEL_METRICS_EXPORTER to one of `prometheus` and \
                 `otlp`",
            );
        }
        let handler = Arc::new(MetricsHandler {
            reader,
            units,
            observers: Arc::clone(&self.observers),
            deny: self.config.deny.clone(),
            diagnostics: Arc::clone(&self.diagnostics),
            warns_of_overflow: !is_pushed,
            scrapes: Scrapes::default(),
            phase: self.phase.clone(),
            hosts: metrics::host::MetricsHosts::new(
                self.config.metrics_hosts.value.clone(),
                address,
            ),
            cache: tokio::sync::Mutex::default(),
        });
        let server = metrics::prometheus::serve(listener, Arc::clone(&handler), self.phase.clone());
        // Not one of the tasks that the shutdown waits for: it serves until the runtime stops.
        let server = self.runtime.handle().spawn(server);
        self.spawn(handler.linger());
        (address, Some(server))
    }
}
