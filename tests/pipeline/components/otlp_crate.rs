//! The exporters of the crate `opentelemetry-otlp`, as exporters of the application.

use super::alone;
use crate::kit;
use hub_otel::otel::TelemetryBuilderExt;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::{Report, Signal, TelemetryBuilder};
use hub_otel_tests::ports::Closed;
use hub_otel_tests::receiver::Receiver;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// gRPC by tonic: needs a tokio runtime at its construction.
fn with_grpc(builder: TelemetryBuilder, endpoint: &str) -> TelemetryBuilder {
    let spans =
        SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(LIMIT).build();
    let logs =
        LogExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(LIMIT).build();
    let metrics =
        MetricExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(LIMIT).build();
    builder
        .span_exporter(spans.expect("an exporter"))
        .log_exporter(logs.expect("an exporter"))
        .metric_exporter(metrics.expect("an exporter"))
}

/// HTTP by reqwest's blocking client: panics in an async context.
fn with_http(builder: TelemetryBuilder, endpoint: &str) -> TelemetryBuilder {
    let url = |path: &str| format!("{endpoint}/v1/{path}");
    let spans = SpanExporter::builder()
        .with_http()
        .with_endpoint(url("traces"))
        .with_timeout(LIMIT)
        .build();
    let logs =
        LogExporter::builder().with_http().with_endpoint(url("logs")).with_timeout(LIMIT).build();
    let metrics = MetricExporter::builder()
        .with_http()
        .with_endpoint(url("metrics"))
        .with_timeout(LIMIT)
        .build();
    builder
        .span_exporter(spans.expect("an exporter"))
        .log_exporter(logs.expect("an exporter"))
        .metric_exporter(metrics.expect("an exporter"))
}

/// Emits three items of each signal and shuts down.
#[expect(clippy::disallowed_methods, reason = "an instrument of the application")]
fn emit(builder: TelemetryBuilder) -> Report {
    let telemetry = builder.build().expect("it starts");
    for name in ["1", "2", "3"] {
        kit::span(&telemetry, name);
        kit::log(&telemetry, name);
    }
    meter_provider(&telemetry).meter("tests").u64_counter("tests.items").build().add(3, &[]);
    telemetry.shutdown_blocking()
}

#[track_caller]
fn assert_delivered(receiver: &Receiver, report: &Report) {
    assert!(report.is_complete(), "{report}");
    assert_eq!((receiver.spans().len(), receiver.logs().len()), (3, 3), "{report}");
    assert_eq!(receiver.latest_sum("tests.items"), 3.0);
    let name = &receiver.spans()[0].resource.attributes;
    assert_eq!(hub_otel_tests::receiver::text(name, "service.name"), Some("the-service"));
    let counts: Vec<_> = report
        .exporters
        .iter()
        .map(|exporter| (exporter.signal, exporter.counts.finished, exporter.counts.ok))
        .collect();
    assert_eq!(counts[..2], [(Signal::Traces, 3, 3), (Signal::Logs, 3, 3)], "{report}");
    assert_eq!(counts[2].0, Signal::Metrics);
    assert_eq!(report.exporters[0].exporter, "opentelemetry_otlp::span::SpanExporter");
}

#[test]
fn the_exporters_for_grpc_deliver_and_are_counted() {
    let receiver = Receiver::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let builder = {
        let _context = runtime.enter();
        with_grpc(alone(), &receiver.endpoint())
    };
    assert_delivered(&receiver, &emit(builder));
}

#[test]
fn the_blocking_exporters_for_http_deliver_and_are_counted() {
    let receiver = Receiver::start();
    let builder = with_http(alone(), &receiver.endpoint());
    assert_delivered(&receiver, &emit(builder));
}

#[test]
fn their_failures_are_counted_as_failed() {
    let closed = Closed::new();
    let report = emit(with_http(alone(), &closed.endpoint()));
    let [spans, logs, metrics] = &report.exporters[..] else { panic!("{report:?}") };
    for exporter in [spans, logs, metrics] {
        let counts = &exporter.counts;
        assert_eq!(counts.failures["exporter_error"], counts.finished, "{report}");
    }
    assert_eq!(spans.counts.finished, 3);
    assert_eq!(report.traces.finished, 0, "OTLP of this library is off");
}
