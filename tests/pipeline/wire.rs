//! Items arrive unchanged over every protocol.

use crate::kit;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::{Compression, Exporter, Protocol, Signal};
use hub_otel_tests::certificates::Certificates;
use hub_otel_tests::receiver::{self, Behaviour, Receiver};

#[expect(clippy::disallowed_methods, reason = "an instrument of the user's own")]
fn all_signals_arrive(protocol: Protocol, compression: Compression) {
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver)
        .protocol(protocol)
        .compression(compression)
        .header("x-tenant", "blue, and green")
        .exporters(Signal::Metrics, [Exporter::Otlp])
        .build()
        .expect("it starts");
    kit::span(&telemetry, "a span");
    kit::log(&telemetry, "a record");
    meter_provider(&telemetry).meter("tests").u64_counter("things").build().add(3, &[]);
    let report = telemetry.shutdown_blocking();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.traces.ok, report.logs.ok), (1, 1));
    assert_eq!(receiver.spans()[0].item.name, "a span");
    assert_eq!(receiver.logs().len(), 1);
    assert_eq!(receiver.latest_sum("things"), 3.0);
    assert_eq!(
        receiver.metrics().iter().filter(|metric| metric.item.name.starts_with("otel.sdk")).count(),
        0
    );
    for request in receiver.requests() {
        assert_eq!(request.header("x-tenant"), Some("blue, and green"));
    }
    let resource = &receiver.spans()[0].resource.attributes;
    assert_eq!(receiver::text(resource, "service.name"), Some("the-service"));
    assert_eq!(receiver::text(resource, "telemetry.sdk.language"), Some("rust"));
    assert!(receiver::text(resource, "service.instance.id").is_some());
    assert!(receiver::text(resource, "host.name").is_some());
    assert!(receiver::int(resource, "process.pid").is_some());
}

#[test]
fn all_signals_arrive_over_grpc() {
    all_signals_arrive(Protocol::Grpc, Compression::None);
}

#[test]
fn all_signals_arrive_over_http_protobuf() {
    all_signals_arrive(Protocol::HttpProtobuf, Compression::None);
}

#[test]
fn all_signals_arrive_over_http_json() {
    all_signals_arrive(Protocol::HttpJson, Compression::None);
}

#[test]
fn all_signals_arrive_packed() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        for compression in [Compression::Gzip, Compression::Zstd] {
            all_signals_arrive(protocol, compression);
        }
    }
}

#[test]
fn tls_trusts_the_certificate_that_is_given_and_shows_its_own() {
    let certificates = Certificates::for_name("localhost");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).expect("a file");
        path
    };
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let receiver = Receiver::tls(&certificates, true);
        let telemetry = kit::to(&receiver)
            .protocol(protocol)
            .certificate(file("authority.pem", &certificates.authority))
            .client_certificate(
                file("client.pem", &certificates.client.certificate),
                file("client.key", &certificates.client.key),
            )
            .build()
            .expect("it starts");
        kit::span(&telemetry, "a secret span");
        let report = telemetry.shutdown_blocking();
        assert!(report.is_complete(), "{protocol:?}: {report}");
        assert_eq!(receiver.spans()[0].item.name, "a secret span");
    }
}

#[test]
fn a_partial_success_is_counted_and_never_repeated() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        let receiver = Receiver::start();
        receiver.always(Behaviour::Partial { rejected: 2, message: "too old" });
        let telemetry = kit::to(&receiver).protocol(protocol).build().expect("it starts");
        (0..5).for_each(|n| kit::span(&telemetry, &format!("span {n}")));
        let report = telemetry.shutdown_blocking();
        assert_eq!((report.traces.ok, report.traces.rejected), (3, 2), "{protocol:?}");
        assert_eq!(receiver.attempts(receiver::Signal::Traces), 1);
    }
}

#[test]
fn a_partial_success_is_read_although_it_is_packed() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        // Names of encodings have no case.
        for encoding in ["gzip", "zstd", "GZIP"] {
            let receiver = Receiver::start();
            receiver.always(Behaviour::CompressedPartial { rejected: 2, encoding });
            let telemetry = kit::to(&receiver).protocol(protocol).build().expect("it starts");
            (0..5).for_each(|n| kit::span(&telemetry, &format!("span {n}")));
            (0..3).for_each(|n| kit::log(&telemetry, &format!("record {n}")));
            let report = telemetry.shutdown_blocking();
            let counts = |part: &hub_otel::SignalReport| (part.ok, part.rejected, part.lost());
            assert_eq!(counts(&report.traces), (3, 2, 2), "{protocol:?} {encoding}: {report}");
            assert_eq!(counts(&report.logs), (1, 2, 2), "{protocol:?} {encoding}: {report}");
        }
    }
}

#[test]
fn a_reply_is_read_by_its_type_and_what_is_not_otlp_is_tried_again() {
    let (protobuf, json) = (Protocol::HttpProtobuf, Protocol::HttpJson);
    let partial = r#"{"partialSuccess":{"rejectedSpans":"2"}}"#;
    for (protocol, content_type, body, ok) in [
        (json, "text/plain; charset=utf-8", "{}", Some(5)),
        (protobuf, "text/plain; charset=utf-8", "{}", Some(5)),
        (protobuf, "text/plain", "", Some(5)),
        (protobuf, "Application/JSON; charset=utf-8", partial, Some(3)),
        (json, "application/x-protobuf", "", Some(5)),
        (json, "application/json", "[]", None),
        (protobuf, "application/x-protobuf", "<html></html>", None),
        (protobuf, "text/plain", "OK", None),
        (protobuf, "text/html", "", None),
    ] {
        let receiver = Receiver::start();
        receiver.script(receiver::Signal::Traces, [Behaviour::Reply { content_type, body }]);
        let telemetry = kit::to(&receiver).protocol(protocol).build().expect("it starts");
        (0..5).for_each(|n| kit::span(&telemetry, &format!("span {n}")));
        let report = telemetry.shutdown_blocking();
        let attempts = receiver.attempts(receiver::Signal::Traces);
        let case = format!("{protocol:?} {content_type} {body}: {report}");
        assert_eq!((report.traces.ok, attempts), ok.map_or((5, 2), |ok| (ok, 1)), "{case}");
    }
}

#[test]
fn a_reply_over_the_size_limit_after_decompression_is_counted_by_its_reason() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        let receiver = Receiver::start();
        receiver.always(Behaviour::Bomb(8 << 20));
        let telemetry = kit::to(&receiver).protocol(protocol).build().expect("it starts");
        (0..5).for_each(|n| kit::span(&telemetry, &format!("span {n}")));
        let report = telemetry.shutdown_blocking();
        assert_eq!(
            report.traces.failures.get("reply_too_large"),
            Some(&5),
            "{protocol:?}: {report}"
        );
        assert_eq!(receiver.attempts(receiver::Signal::Traces), 1, "{protocol:?}");
    }
}

#[test]
fn a_long_value_is_cut_and_a_span_is_bounded() {
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver).build().expect("it starts");
    large_span(&telemetry);
    assert!(telemetry.shutdown_blocking().is_complete());
    let spans = receiver.spans();
    let span = &spans[0].item;
    let size: usize = span.attributes.iter().map(prost::Message::encoded_len).sum();
    assert!(size <= 64 * 1024, "{size}");
    assert_eq!(receiver::text(&span.attributes, "value.0").map(str::len), Some(4096));
    assert_eq!(span.attributes.len() + span.dropped_attributes_count as usize, 40);
}

#[test]
fn a_log_record_is_bounded_as_a_span_is() {
    use hub_otel::otel::opentelemetry::logs::{LogRecord, Logger, LoggerProvider};
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver).build().expect("it starts");
    let logger = hub_otel::otel::logger_provider(&telemetry).logger("tests");
    let mut record = logger.create_log_record();
    record.set_body("é".repeat(1 << 20).into());
    (0..40).for_each(|n| record.add_attribute(format!("value.{n}"), "x".repeat(1 << 20)));
    logger.emit(record);
    assert!(telemetry.shutdown_blocking().is_complete());
    let record = receiver.logs()[0].item.clone();
    assert!(
        prost::Message::encoded_len(&record) <= 64 * 1024,
        "{}",
        prost::Message::encoded_len(&record)
    );
    assert_eq!(receiver::text(&record.attributes, "value.0").map(str::len), Some(4096));
    assert_eq!(record.attributes.len() + record.dropped_attributes_count as usize, 40);
}

#[expect(clippy::disallowed_methods, reason = "a span without a unit of work around it")]
fn large_span(telemetry: &hub_otel::Telemetry) {
    use hub_otel::otel::opentelemetry::KeyValue;
    use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
    let tracer = hub_otel::otel::tracer_provider(telemetry).tracer("tests");
    let mut span = tracer.start("large");
    for n in 0..40 {
        span.set_attribute(KeyValue::new(format!("value.{n}"), "x".repeat(1 << 20)));
    }
    span.end();
}
