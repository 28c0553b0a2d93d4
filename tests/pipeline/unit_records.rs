//! The exact spans, log records and stderr lines of units: order and number of attributes, cut and
//! redacted values, dropped items, statuses, links, flags.
//!
//! A child process runs all units of [`case`] and exports them to a receiver in this process. The
//! expected texts are files beside this one.

mod case;
mod render;

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use render::{render_lines, render_logs, render_spans};
use std::time::Duration;

/// Settings that make every limit apply.
const LIMITS: [(&str, &str); 7] = [
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "6"),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "2"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "1"),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "1"),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "1"),
    ("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs"),
];

/// Runs all units in a child process. Returns the receiver and the text on stderr.
fn run(variables: &[(&str, &str)]) -> (Receiver, String) {
    let receiver = Receiver::start();
    let mut command = kit::case("unit_records::case::all_units");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("RUST_LOG", "hub_otel=debug"),
    ]);
    command.envs(variables.iter().copied());
    let mut process = Process::spawn(&mut command);
    let status = process.exit(Duration::from_secs(60));
    assert!(status.success(), "{status}\n{}\n{}", process.stdout(), process.stderr());
    (receiver, process.stderr())
}

#[track_caller]
fn assert_text(actual: &str, expected: &str) {
    let mut lines = actual.lines().zip(expected.lines()).enumerate();
    let different = lines.find(|(_, (actual, expected))| actual != expected);
    assert!(actual == expected, "first difference: {different:?}; the whole text:\n{actual}");
}

#[test]
fn units_have_the_same_spans_over_each_protocol() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let (receiver, _) = run(&[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        assert_text(&render_spans(&receiver), include_str!("unit_records/spans.txt"));
        assert_text(&render_logs(&receiver), include_str!("unit_records/logs.txt"));
    }
}

#[test]
fn the_lines_of_units_have_the_same_text() {
    let (_, stderr) = run(&[]);
    assert_text(&render_lines(&stderr), include_str!("unit_records/lines.txt"));
}

#[test]
fn units_have_the_same_spans_under_configured_limits() {
    let (receiver, _) = run(&LIMITS);
    assert_text(&render_spans(&receiver), include_str!("unit_records/limited.txt"));
}
