//! Invalid settings in strict mode: errors with variable and value, no silent default, no panic.

use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::Receiver;

fn refused(settings: &[(&str, &str)]) -> String {
    let strict = [&[("OTEL_HUB_STRICT", "true")], settings].concat();
    match Program::try_with("http://127.0.0.1:4317", Transport::Grpc, &strict) {
        Ok(_) => panic!("{settings:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_impossible_setting_is_an_error_that_names_it() {
    let cases = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "18446744073709551615"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:99999"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no equals sign"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b\u{7f}"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier pigeon"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "99999"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ];
    for (name, value) in cases {
        let error = refused(&[(name, value)]);
        assert!(error.contains(name), "{name}={value}: {error}");
        // The value of a header may be a secret.
        assert!(name.ends_with("HEADERS") || error.contains(value), "{name}={value}: {error}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = refused(&[
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ]);
    for name in ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER"] {
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset_and_an_empty_builder_value_is_an_error() {
    let receiver = Receiver::start();
    let empty = [
        ("OTEL_TRACES_SAMPLER", ""),
        ("OTEL_BSP_MAX_QUEUE_SIZE", ""),
        ("OTEL_EXPORTER_OTLP_HEADERS", ""),
    ];
    let mut program = Program::with(&receiver.endpoint(), Transport::Grpc, &empty);
    program.emit(5);
    program.stop().assert_delivered_once(&receiver);
    let error = hub_otel::Telemetry::builder().endpoint("").build().expect_err("empty").to_string();
    assert!(error.contains("endpoint"), "{error}");
}
