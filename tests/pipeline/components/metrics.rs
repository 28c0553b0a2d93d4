//! Metric exporters, metric readers and views of the application.

use super::{Shared, alone, run};
use crate::kit;
use hub_otel::otel::TelemetryBuilderExt;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::{Signal, Telemetry};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, PeriodicReader, Pipeline, Stream, Temporality,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Returns the sum of the points of a counter of whole numbers, if the metric is there.
fn total(metrics: &ResourceMetrics, name: &str) -> Option<u64> {
    let mut all = metrics.scope_metrics().flat_map(|scope| scope.metrics());
    match all.find(|metric| metric.name() == name)?.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            Some(sum.data_points().map(|point| point.value()).sum())
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// Keeps the sums of the tests' counter and of the runs.
#[derive(Debug, Clone, Default)]
struct Keeping {
    values: Shared<(Option<u64>, Option<u64>)>,
    calls: Shared<&'static str>,
    fails: bool,
}

impl PushMetricExporter for Keeping {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.calls.push("export");
        self.values.push((total(metrics, "tests.items"), total(metrics, "agent.runs.total")));
        if self.fails { Err(OTelSdkError::InternalFailure("down".to_owned())) } else { Ok(()) }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.calls.push("shutdown");
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}

#[expect(clippy::disallowed_methods, reason = "an instrument of the application")]
fn add(telemetry: &Telemetry, amount: u64) {
    let meter = meter_provider(telemetry).meter("tests");
    meter.u64_counter("tests.items").build().add(amount, &[KeyValue::new("kind", "a")]);
}

#[test]
fn a_metric_exporter_gets_its_temporality_and_its_points_are_counted() {
    let (keeping, failing) = (Keeping::default(), Keeping { fails: true, ..Keeping::default() });
    let telemetry = alone()
        .metric_exporter(keeping.clone())
        .metric_exporter(failing.clone())
        .build()
        .expect("it starts");
    add(&telemetry, 2);
    telemetry.flush_blocking();
    add(&telemetry, 3);
    let report = telemetry.shutdown_blocking();
    let values: Vec<_> = keeping.values.all().into_iter().map(|(items, _)| items).collect();
    assert_eq!(values, [Some(2), Some(3)], "the delta since the push before");
    assert_eq!(keeping.calls.all(), ["export", "export", "shutdown"]);
    let [first, second] = &report.exporters[..] else { panic!("{report:?}") };
    assert!(first.exporter.ends_with("metrics::Keeping"), "{}", first.exporter);
    assert!(second.exporter.ends_with("metrics::Keeping#2"), "{}", second.exporter);
    assert_eq!(first.signal, Signal::Metrics);
    assert!(first.counts.finished >= 2 && first.counts.ok == first.counts.finished, "{report}");
    assert_eq!(second.counts.failures["exporter_error"], second.counts.finished, "{report}");
}

#[test]
fn metric_exporters_and_readers_get_the_metrics_of_units() {
    let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    run("metrics::case::units", &none);
}

#[test]
fn the_deliveries_of_an_exporter_of_the_application_are_served_as_metrics() {
    let telemetry = kit::builder()
        .exporters(Signal::Traces, [])
        .exporters(Signal::Logs, [])
        .metric_exporter(Keeping::default())
        .build()
        .expect("it starts");
    add(&telemetry, 1);
    telemetry.flush_blocking();
    let address = telemetry.metrics_addr().expect("served");
    let scrape = Scrape::of(format!("http://{address}/metrics"));
    let exporter = "pipeline::components::metrics::Keeping";
    let labels = [("signal", "metrics"), ("result", "ok"), ("exporter", exporter)];
    assert!(scrape.value("hub_otel_export_items_total", &labels) >= Some(1.0));
}

/// A reader that pulls: the test collects.
#[derive(Debug, Clone)]
struct Pulling {
    inner: Arc<ManualReader>,
    calls: Shared<&'static str>,
}

impl Default for Pulling {
    fn default() -> Self {
        Self { inner: Arc::new(ManualReader::builder().build()), calls: Shared::default() }
    }
}

impl MetricReader for Pulling {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.inner.register_pipeline(pipeline);
    }
    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.inner.collect(metrics)
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.calls.push("flush");
        Ok(())
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.calls.push("shutdown");
        self.inner.shutdown_with_timeout(timeout)
    }
    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.inner.temporality(kind)
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "instruments of the application")]
fn a_metric_reader_collects_instruments_and_the_last_values_of_callbacks() {
    let pulling = Pulling::default();
    let telemetry = alone().metric_reader(pulling.clone()).build().expect("it starts");
    add(&telemetry, 5);
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    let _observed = meter_provider(&telemetry)
        .meter("tests")
        .u64_observable_counter("tests.calls")
        .with_callback(move |counter| counter.observe(count.fetch_add(1, SeqCst) + 1, &[]))
        .build();
    telemetry.flush_blocking();
    let mut metrics = ResourceMetrics::default();
    pulling.collect(&mut metrics).expect("it is registered");
    assert_eq!(total(&metrics, "tests.items"), Some(5));
    assert_eq!(total(&metrics, "tests.calls"), Some(1), "of the run before the flush");
    assert!(telemetry.shutdown_blocking().is_complete());
    assert_eq!(pulling.calls.all(), ["flush", "shutdown"]);
    assert!(pulling.collect(&mut metrics).is_err(), "shut down");
}

#[test]
fn the_periodic_reader_of_the_sdk_exports_at_a_flush_and_at_the_shutdown() {
    let keeping = Keeping::default();
    let reader = PeriodicReader::builder(keeping.clone()).build();
    let telemetry = alone().metric_reader(reader).build().expect("it starts");
    add(&telemetry, 2);
    telemetry.flush_blocking();
    assert_eq!(keeping.values.all(), [(Some(2), None)]);
    add(&telemetry, 3);
    telemetry.shutdown_blocking();
    assert_eq!(keeping.values.all(), [(Some(2), None), (Some(3), None)]);
    assert_eq!(keeping.calls.all(), ["export", "export", "shutdown"]);
}

#[test]
fn a_view_applies_to_every_reader_and_one_that_panics_to_none() {
    let (receiver, pulling) = (Receiver::start(), Pulling::default());
    let telemetry = kit::to(&receiver)
        .set_var("OTEL_METRICS_EXPORTER", "otlp")
        .metric_reader(pulling.clone())
        .metric_view(|instrument| {
            let is_ours = instrument.name() == "tests.items";
            is_ours.then(|| Stream::builder().with_name("tests.renamed").build().ok()).flatten()
        })
        .metric_view(|instrument| {
            assert_ne!(instrument.name(), "tests.items", "a view that fails");
            None
        })
        .build()
        .expect("it starts");
    add(&telemetry, 4);
    let mut metrics = ResourceMetrics::default();
    pulling.collect(&mut metrics).expect("it is registered");
    assert_eq!(total(&metrics, "tests.renamed"), Some(4));
    assert_eq!(total(&metrics, "tests.items"), None);
    assert!(telemetry.shutdown_blocking().is_complete());
    assert_eq!(receiver.latest_sum("tests.renamed"), 4.0);
}

mod case {
    use super::{Keeping, Pulling, total};
    use hub_otel::otel::TelemetryBuilderExt;
    use hub_otel::{Telemetry, agent, workflow};
    use opentelemetry_sdk::metrics::data::ResourceMetrics;
    use opentelemetry_sdk::metrics::reader::MetricReader;

    #[test]
    #[ignore = "runs in a child process"]
    fn units() {
        let (keeping, pulling) = (Keeping::default(), Pulling::default());
        let telemetry = Telemetry::builder()
            .metric_exporter(keeping.clone())
            .metric_reader(pulling.clone())
            .install()
            .expect("the install");
        for _ in 0..3 {
            workflow("nightly").call(|| agent("scanner", "scan").call(|| ()));
        }
        telemetry.flush_blocking();
        let mut metrics = ResourceMetrics::default();
        pulling.collect(&mut metrics).expect("it is registered");
        let names: Vec<_> = metrics
            .scope_metrics()
            .flat_map(|scope| scope.metrics())
            .map(|metric| metric.name().to_owned())
            .collect();
        assert_eq!(total(&metrics, "agent.runs.total"), Some(3), "{names:?}");
        assert_eq!(keeping.values.all()[0].1, Some(3));
        telemetry.shutdown_blocking();
    }
}
