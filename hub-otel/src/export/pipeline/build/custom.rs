//! The components of the application, put into the pipeline.

use crate::config::signal::Signal;
use crate::export::accounting::Accounting;
use crate::export::components::exporters::{ErasedExporter, LogItem, export_batch, shut_down};
use crate::export::components::log_processors::LogProcessors;
use crate::export::components::metric_push::CustomMetricExporter;
use crate::export::components::metric_readers::{CustomReader, CustomReaders};
use crate::export::components::named::{Named, number_equal_names};
use crate::export::components::span_processors::SpanProcessors;
use crate::export::components::{Components, apply_view};
use crate::export::delivery::Delivery;
use crate::export::encode::redact_span;
use crate::export::metrics::periodic_push::{Destination, FlushRequest};
use crate::export::pipeline::build::BuildContext;
use crate::export::queue::SignalQueue;
use crate::export::runtime::{ExportPhase, spawn_blocking};
use opentelemetry_sdk::metrics::MeterProviderBuilder;
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

impl BuildContext {
    /// Starts the span exporters, and takes the span processors.
    pub(super) fn span_components(
        &mut self,
        components: &mut Components,
    ) -> (Vec<SignalQueue<SpanData>>, Arc<SpanProcessors>) {
        let deny = self.config.deny.clone();
        let exporters = std::mem::take(&mut components.span_exporters);
        let redact = move |span: &mut SpanData| redact_span(span, &deny);
        let spans = self.start_exporters(Signal::Traces, exporters, Arc::new(redact));
        let processors = Arc::new(SpanProcessors::new(
            std::mem::take(&mut components.span_processors),
            spans.iter().map(|spans| Arc::clone(&spans.queue)).collect(),
            &self.resource,
            self.config.deny.clone(),
        ));
        let at_shutdown = Arc::clone(&processors);
        self.spawn(shut_down_last(self.phase.clone(), move |limit| at_shutdown.shut_down(limit)));
        (spans, processors)
    }

    /// Starts the log exporters, and takes the log processors.
    pub(super) fn log_components(
        &mut self,
        components: &mut Components,
    ) -> (Vec<SignalQueue<LogItem>>, Arc<LogProcessors>) {
        let exporters = std::mem::take(&mut components.log_exporters);
        // Secrets are redacted before the processors.
        let log_records = self.start_exporters(Signal::Logs, exporters, Arc::new(|_| {}));
        let processors = Arc::new(LogProcessors::new(
            std::mem::take(&mut components.log_processors),
            log_records.iter().map(|records| Arc::clone(&records.queue)).collect(),
            &self.resource,
            self.config.deny.clone(),
        ));
        let at_shutdown = Arc::clone(&processors);
        self.spawn(shut_down_last(self.phase.clone(), move |limit| at_shutdown.shut_down(limit)));
        (log_records, processors)
    }

    /// Starts the metric exporters and the readers.
    pub(super) fn metric_components(
        &mut self,
        components: &mut Components,
        mut meters: MeterProviderBuilder,
        pushes: &mut Vec<Arc<FlushRequest>>,
    ) -> (MeterProviderBuilder, CustomReaders) {
        for view in std::mem::take(&mut components.views) {
            meters = meters.with_view(move |instrument| apply_view(&view, instrument));
        }
        let mut exporters = std::mem::take(&mut components.metric_exporters);
        number_equal_names(&mut exporters);
        for exporter in exporters {
            let exporter = CustomMetricExporter::new(exporter);
            let accounting = Arc::<Accounting>::default();
            self.deliveries.push(Delivery {
                signal: Signal::Metrics,
                exporter: Some(Arc::clone(exporter.name())),
                accounting: Arc::clone(&accounting),
            });
            let temporality = exporter.temporality();
            let destination = Destination::Custom(exporter);
            let (reader, flush_request) = self.start_push(temporality, accounting, destination);
            meters = meters.with_reader(reader);
            pushes.push(flush_request);
        }
        let readers: Vec<_> = std::mem::take(&mut components.metric_readers)
            .into_iter()
            .map(|reader| CustomReader(Arc::new(reader)))
            .collect();
        for reader in &readers {
            meters = meters.with_reader(reader.clone());
        }
        let readers = CustomReaders {
            readers,
            observers: Arc::clone(&self.observers),
            interval: *self.config.metric_interval,
        };
        if !readers.readers.is_empty() {
            self.spawn(readers.clone().run(self.phase.clone()));
        }
        (meters, readers)
    }

    /// Starts the export loop of each exporter of `signal`.
    fn start_exporters<T: Send + 'static>(
        &mut self,
        signal: Signal,
        mut exporters: Vec<Named<Box<dyn ErasedExporter<T>>>>,
        prepare: Arc<dyn Fn(&mut T) + Send + Sync>,
    ) -> Vec<SignalQueue<T>> {
        number_equal_names(&mut exporters);
        let batch = if signal == Signal::Logs { &self.config.records } else { &self.config.spans };
        let limit = *batch.timeout;
        exporters
            .into_iter()
            .map(|mut exporter| {
                exporter.call_mut(|exporter| exporter.set_resource(&self.resource));
                let exporter = Arc::new(exporter);
                let export =
                    export_batch(&exporter, limit, Arc::clone(&prepare), &self.diagnostics);
                let name = Arc::clone(&exporter.name);
                let (queue, export_loop) = self.export_loop(signal, export, Some(name));
                let phase = self.phase.clone();
                self.spawn(async move {
                    export_loop.run().await;
                    shut_down(exporter, remaining(&phase)).await;
                });
                queue
            })
            .collect()
    }
}

/// Returns the time until the deadline of the shutdown.
fn remaining(phase: &watch::Receiver<ExportPhase>) -> Duration {
    match *phase.borrow() {
        ExportPhase::Draining { deadline, .. } => {
            deadline.saturating_duration_since(Instant::now())
        }
        ExportPhase::Running => Duration::ZERO,
    }
}

/// Waits for the shutdown, and then calls `shut_down` on a blocking thread.
async fn shut_down_last(
    mut phase: watch::Receiver<ExportPhase>,
    shut_down: impl FnOnce(Duration) + Send + 'static,
) {
    while matches!(*phase.borrow_and_update(), ExportPhase::Running) {
        if phase.changed().await.is_err() {
            return;
        }
    }
    let limit = remaining(&phase);
    let _ = timeout(limit, spawn_blocking(move || shut_down(limit))).await;
}
