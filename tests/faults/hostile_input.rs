//! Hostile input of users, libraries and clocks: no panic, and the output parses.

use crate::support::each;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Payload, Receiver, Signal};
use hub_otel_tests::scrape::Scrape;
use opentelemetry::trace::{Span as _, SpanBuilder, Tracer as _};
use opentelemetry::{Array, KeyValue, StringValue, Value, metrics::MeterProvider as _};
use std::time::{Duration, SystemTime};

const TEXTS: [&str; 8] = [
    "",
    " ",
    "\u{1b}[31mred\u{1b}[0m",
    "nul\0nul",
    "line\nfeed\r\ttab",
    "\u{202e}right to left",
    "🦀\u{fffd}",
    "\"quoted\\\"",
];

fn hostile_spans(program: &Program) -> u64 {
    let hour = Duration::from_secs(3600);
    let year_1960 = SystemTime::UNIX_EPOCH - 10 * 365 * 24 * hour;
    let mut ended = 0;
    for text in TEXTS {
        let mut span = program.tracer().start(text);
        span.set_attribute(KeyValue::new(text, text));
        span.set_attribute(KeyValue::new(
            "list",
            Value::Array(Array::String(vec![StringValue::from(text)])),
        ));
        span.set_attribute(KeyValue::new("nan", f64::NAN));
        span.set_attribute(KeyValue::new("infinite", f64::NEG_INFINITY));
        span.add_event(text, vec![KeyValue::new(text, text)]);
        span.set_status(opentelemetry::trace::Status::error(text));
        span.end();
        ended += 1;
    }
    let now = SystemTime::now();
    for (start, end) in [
        (now, now - hour),
        (year_1960, now),
        (year_1960, year_1960 - hour),
        (now + 1_000_000 * hour, now),
    ] {
        let mut span = program
            .tracer()
            .build(SpanBuilder::from_name("a clock that jumps").with_start_time(start));
        span.end_with_timestamp(end);
        ended += 1;
    }
    ended
}

fn hostile_metrics(program: &Program) {
    let meter = hub_otel::otel::meter_provider(program.telemetry()).meter("hostile");
    for name in TEXTS.into_iter().chain(["1digit", "with space", "ünïcode", "a/b", "ok.name"]) {
        meter.f64_histogram(name.to_owned()).build().record(f64::NAN, &[]);
        let gauge =
            meter.f64_gauge(format!("gauge.{}", name.len())).with_unit(name.to_owned()).build();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
            gauge.record(value, &[KeyValue::new(name.to_owned(), name.to_owned())]);
        }
        meter
            .u64_counter("hostile.count")
            .build()
            .add(1, &[KeyValue::new("text", name.to_owned())]);
    }
}

#[test]
fn hostile_input_causes_no_panic_and_arrives() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        let mut program = Program::start(&receiver.endpoint(), transport);
        let spans = hostile_spans(&program);
        hostile_metrics(&program);
        program.with_logs(|| {
            TEXTS.iter().for_each(|text| tracing::error!(text, nan = f64::NAN, "{text}"))
        });
        program.emit(10);
        let stopped = program.stop();
        assert_eq!(stopped.report.traces.ok, spans + 10, "{}", stopped.report);
        assert_eq!(stopped.report.logs.ok, TEXTS.len() as u64 + 10, "{}", stopped.report);
        assert_eq!(receiver.stored(Signal::Traces), spans + 10);
        assert!(receiver.metrics().iter().any(|metric| metric.name == "hostile.count"));
        // Every request was decoded: text is UTF-8, numbers are numbers.
        assert!(receiver.requests().iter().all(|request| matches!(
            request.payload,
            Payload::Traces(_) | Payload::Logs(_) | Payload::Metrics(_)
        )));
    });
}

#[test]
fn a_scrape_with_hostile_input_parses() {
    let receiver = Receiver::start();
    let settings = [
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ("OTEL_SERVICE_NAME", "q\"uo\nte\\"),
    ];
    let program = Program::with(&receiver.endpoint(), Transport::Grpc, &settings);
    hostile_metrics(&program);
    let address = program.telemetry().metrics_addr().expect("metrics are served");
    let scrape = Scrape::of(format!("http://{address}/metrics"));
    assert_eq!(scrape.value("hostile_count_total", &[]), Some(13.0));
    assert_eq!(scrape.value("hostile_count_total", &[("text", "nul\0nul")]), Some(1.0));
    assert_eq!(scrape.value("hostile_count_total", &[("text", "\"quoted\\\"")]), Some(1.0));
    program.stop();
}
