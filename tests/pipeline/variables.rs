//! The effect of every variable in the tables of `docs/configuration.md`.

use crate::kit;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::{Report, Telemetry};
use hub_otel_tests::certificates::Certificates;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::{Behaviour, Protocol, Receiver, Request, Signal, text};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
/// All signals by OTLP, exported only on request.
const LAZY: [(&str, &str); 4] = [
    ("OTEL_METRICS_EXPORTER", "otlp"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "600000"),
    ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "600000"),
];

/// An instance that sends everything to `receiver`, with these variables on top.
fn start<'a>(receiver: &Receiver, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Telemetry {
    let mut variables = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), receiver.endpoint())];
    variables.extend(
        LAZY.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    hub_otel::Telemetry::builder()
        .default_service_name("the-service")
        .env_source(variables)
        .set_var("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
        .build()
        .expect("it starts")
}

/// A span, a record and a point.
#[expect(clippy::disallowed_methods, reason = "an instrument of the user's own")]
fn emit(telemetry: &Telemetry) {
    kit::span(telemetry, "a span");
    kit::log(telemetry, "a record");
    meter_provider(telemetry)
        .meter("tests")
        .u64_counter("things")
        .build()
        .add(1, &[KeyValue::new("kind", "a")]);
}

fn of(receiver: &Receiver, signal: Signal) -> Request {
    let found = receiver.requests().into_iter().find(|request| request.signal == signal);
    found.unwrap_or_else(|| panic!("no request of {signal:?}"))
}

#[track_caller]
fn complete(telemetry: Telemetry) -> Report {
    let report = telemetry.shutdown_blocking();
    assert!(report.is_complete(), "{report}");
    report
}

const SIGNALS: [(&str, Signal); 3] =
    [("TRACES", Signal::Traces), ("METRICS", Signal::Metrics), ("LOGS", Signal::Logs)];

/// The signal's own variable wins over the common one, and touches no other signal.
fn own_variable(
    suffix: &str,
    common: &str,
    own: &str,
    seen: impl Fn(&Request) -> String,
    expect: [&str; 2],
) {
    for (name, signal) in SIGNALS {
        let receiver = Receiver::start();
        let own_name = format!("OTEL_EXPORTER_OTLP_{name}_{suffix}");
        let common_name = format!("OTEL_EXPORTER_OTLP_{suffix}");
        let telemetry =
            start(&receiver, [(common_name.as_str(), common), (own_name.as_str(), own)]);
        emit(&telemetry);
        complete(telemetry);
        for (_, other) in SIGNALS {
            let expected = if other == signal { expect[1] } else { expect[0] };
            assert_eq!(seen(&of(&receiver, other)), expected, "{own_name}, {other:?}");
        }
    }
}

#[test]
fn each_signal_has_an_endpoint_of_its_own() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let receivers = SIGNALS.map(|_| Receiver::start());
        let closed = hub_otel_tests::ports::Closed::new();
        let path =
            |signal: &str| if protocol == "grpc" { String::new() } else { format!("/v1/{signal}") };
        let endpoints = [
            format!("{}{}", receivers[0].endpoint(), path("traces")),
            format!("{}{}", receivers[1].endpoint(), path("metrics")),
            format!("{}{}", receivers[2].endpoint(), path("logs")),
        ];
        let common = closed.endpoint();
        let variables = LAZY.into_iter().chain([
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", common.as_str()),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoints[0].as_str()),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoints[1].as_str()),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", endpoints[2].as_str()),
        ]);
        let telemetry = kit::within(variables).build().expect("it starts");
        emit(&telemetry);
        complete(telemetry);
        for (receiver, (_, signal)) in receivers.iter().zip(SIGNALS) {
            assert!(
                receiver.requests().iter().all(|request| request.signal == signal),
                "{protocol}"
            );
            assert!(receiver.attempts(signal) > 0, "{protocol} {signal:?}");
        }
    }
}

#[test]
fn each_signal_has_headers_a_protocol_and_a_compression_of_its_own() {
    let header = |request: &Request| request.header("x-tenant").unwrap_or_default().to_owned();
    own_variable("HEADERS", "x-tenant=all", "x-tenant=just%20this", header, ["all", "just this"]);
    let protocol = |request: &Request| format!("{:?}", request.protocol);
    own_variable("PROTOCOL", "http/json", "http/protobuf", protocol, ["HttpJson", "HttpProtobuf"]);
    let packing = |request: &Request| {
        let name =
            if request.protocol == Protocol::Grpc { "grpc-encoding" } else { "content-encoding" };
        request.header(name).unwrap_or_default().to_owned()
    };
    own_variable("COMPRESSION", "gzip", "zstd", packing, ["gzip", "zstd"]);
}

#[test]
fn the_three_protocols_apply_the_compression() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        for (compression, sent) in [("gzip", Some("gzip")), ("zstd", Some("zstd")), ("none", None)]
        {
            let receiver = Receiver::start();
            let variables = [
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
            ];
            let telemetry = start(&receiver, variables);
            emit(&telemetry);
            complete(telemetry);
            let name = if protocol == "grpc" { "grpc-encoding" } else { "content-encoding" };
            for (_, signal) in SIGNALS {
                assert_eq!(of(&receiver, signal).header(name), sent, "{protocol} {compression}");
            }
        }
    }
}

#[test]
fn a_timeout_bounds_one_attempt_of_its_signal_and_the_batch_is_tried_again() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start();
        receiver.script(Signal::Traces, [Behaviour::Hang, Behaviour::Hang]);
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "150"),
        ];
        let telemetry = start(&receiver, variables);
        emit(&telemetry);
        complete(telemetry);
        assert_eq!(receiver.attempts(Signal::Traces), 3, "{protocol}");
        assert_eq!(receiver.attempts(Signal::Logs), 1, "{protocol}");
    }
}

#[test]
fn the_timeout_of_an_export_bounds_an_attempt_as_well() {
    let variables = [
        ("OTEL_BSP_EXPORT_TIMEOUT", Signal::Traces),
        ("OTEL_BLRP_EXPORT_TIMEOUT", Signal::Logs),
        ("OTEL_METRIC_EXPORT_TIMEOUT", Signal::Metrics),
    ];
    for (name, signal) in variables {
        let receiver = Receiver::start();
        receiver.script(signal, [Behaviour::Hang]);
        let telemetry = start(&receiver, [(name, "200")]);
        emit(&telemetry);
        complete(telemetry);
        assert_eq!(receiver.attempts(signal), 2, "{name}");
    }
}

#[test]
fn a_certificate_of_its_own_is_trusted_by_one_signal_only() {
    let certificates = Certificates::for_name("localhost");
    let receiver = Receiver::tls(&certificates, false);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &certificates.authority).expect("written");
    for protocol in ["grpc", "http/protobuf"] {
        receiver.clear();
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", file.path().to_str().expect("text")),
            ("HUB_OTEL_SHUTDOWN_TIMEOUT", "1500"),
        ];
        let telemetry = start(&receiver, variables);
        emit(&telemetry);
        poll::until(SOON, || telemetry.flush_blocking().logs.ok == 1);
        let report = telemetry.shutdown_blocking();
        assert_eq!(
            (report.logs.ok, report.traces.ok, report.traces.lost()),
            (1, 0, 1),
            "{protocol}: {report}"
        );
    }
}

#[test]
fn a_host_and_a_port_are_dialled_with_the_scheme_of_insecure() {
    let receiver = Receiver::start();
    let authority = receiver.endpoint().trim_start_matches("http://").to_owned();
    let variables = LAZY.into_iter().chain([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", authority.as_str()),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
    ]);
    let telemetry = kit::within(variables).build().expect("it starts");
    emit(&telemetry);
    complete(telemetry);
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn a_schedule_is_how_long_an_item_waits_for_others() {
    for (name, signal) in
        [("OTEL_BSP_SCHEDULE_DELAY", Signal::Traces), ("OTEL_BLRP_SCHEDULE_DELAY", Signal::Logs)]
    {
        let receiver = Receiver::start();
        // The other signal keeps the ten minutes of `LAZY`.
        let telemetry = start(&receiver, [(name, "300")]);
        let began = Instant::now();
        emit(&telemetry);
        poll::until(SOON, || receiver.stored(signal) == 1);
        assert!(began.elapsed() >= Duration::from_millis(300), "{name}: {:?}", began.elapsed());
        let other = if signal == Signal::Traces { Signal::Logs } else { Signal::Traces };
        assert_eq!(receiver.stored(other), 0, "{name}");
        complete(telemetry);
        assert_eq!(receiver.stored(other), 1, "{name}");
    }
}

#[test]
fn a_batch_and_a_queue_hold_the_configured_number_of_items() {
    for (prefix, signal) in [("OTEL_BSP", Signal::Traces), ("OTEL_BLRP", Signal::Logs)] {
        let receiver = Receiver::start();
        receiver.decide(
            move |request| {
                if request.signal == signal { Behaviour::Hang } else { Behaviour::Accept }
            },
        );
        let names =
            ["MAX_EXPORT_BATCH_SIZE", "MAX_QUEUE_SIZE"].map(|suffix| format!("{prefix}_{suffix}"));
        let telemetry = start(
            &receiver,
            [
                (names[0].as_str(), "4"),
                (names[1].as_str(), "10"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
                ("OTEL_METRICS_EXPORTER", "none"),
            ],
        );
        // The batch in flight hangs and counts against the limit.
        (0..4).for_each(|_| emit(&telemetry));
        poll::until(SOON, || receiver.attempts(signal) > 0);
        (0..9).for_each(|_| emit(&telemetry));
        let part = |report: &Report| {
            if signal == Signal::Traces { report.traces.clone() } else { report.logs.clone() }
        };
        assert_eq!(part(&telemetry.report()).dropped.get("queue_full"), Some(&3), "{prefix}");
        receiver.always(Behaviour::Accept);
        let report = part(&telemetry.shutdown_blocking());
        assert_eq!((report.finished, report.ok, report.lost()), (13, 10, 3), "{prefix}: {report}");
        let of_signal = receiver.requests().into_iter().filter(|request| request.signal == signal);
        assert!(of_signal.map(|request| request.items()).all(|items| items <= 4), "{prefix}");
    }
}

#[test]
fn metrics_are_pushed_at_their_interval_with_the_configured_temporality() {
    use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, metric::Data};
    for (preference, expected) in [
        ("cumulative", AggregationTemporality::Cumulative),
        ("delta", AggregationTemporality::Delta),
        ("lowmemory", AggregationTemporality::Delta),
    ] {
        let receiver = Receiver::start();
        let telemetry = start(
            &receiver,
            [
                ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
                ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference),
            ],
        );
        emit(&telemetry);
        poll::until(SOON, || receiver.metrics().iter().any(|metric| metric.name == "things"));
        poll::until(SOON, || receiver.attempts(Signal::Metrics) > 2);
        let metrics = receiver.metrics();
        let things = metrics.iter().find(|metric| metric.name == "things").expect("received");
        let Some(Data::Sum(sum)) = &things.data else { panic!("{things:?}") };
        assert_eq!(sum.aggregation_temporality(), expected, "{preference}");
        complete(telemetry);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an instrument of the user's own")]
fn histograms_are_exponential_if_metrics_are_pushed_only() {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    let pushed = |more: &[(&'static str, &'static str)]| {
        let receiver = Receiver::start();
        let telemetry = start(&receiver, more.iter().copied());
        let waits = meter_provider(&telemetry).meter("tests").f64_histogram("waits").build();
        (1..=100_u32).for_each(|milliseconds| waits.record(f64::from(milliseconds), &[]));
        let warnings = telemetry.config().warnings().join("\n");
        complete(telemetry);
        let metrics = receiver.metrics();
        let waits = metrics.iter().find(|metric| metric.name == "waits").expect("received");
        (waits.data.clone().expect("data"), warnings)
    };
    let exponential = (VARIABLE, "base2_exponential_bucket_histogram");

    let (data, warnings) = pushed(&[exponential]);
    let Data::ExponentialHistogram(histogram) = data else { panic!("{data:?}") };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.sum, warnings.as_str()), (100, Some(5_050.0), ""));
    // The factor between two bounds is 2^(2^-scale).
    let factor = 2_f64.powf(2_f64.powi(-point.scale));
    assert!(factor < 1.05, "{factor}");

    for more in [
        &[(VARIABLE, "explicit_bucket_histogram")][..],
        &[exponential, ("OTEL_METRICS_EXPORTER", "otlp,prometheus")][..],
    ] {
        let (data, warnings) = pushed(more);
        assert!(matches!(data, Data::Histogram(_)), "{more:?}: {data:?}");
        assert_eq!(warnings.contains("OTEL_METRICS_EXPORTER=otlp"), more.len() == 2, "{warnings}");
    }
}

#[test]
fn several_exporters_get_the_same_items() {
    let receiver = Receiver::start();
    let telemetry = start(
        &receiver,
        [("OTEL_METRICS_EXPORTER", "otlp,prometheus"), ("OTEL_TRACES_EXPORTER", "otlp,console")],
    );
    emit(&telemetry);
    let address = telemetry.metrics_addr().expect("served");
    let scrape = hub_otel_tests::scrape::Scrape::of(format!("http://{address}/metrics"));
    assert_eq!(scrape.value("things_total", &[("kind", "a")]), Some(1.0));
    complete(telemetry);
    assert_eq!(receiver.latest_sum("things"), 1.0);
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn metrics_are_served_at_the_configured_address() {
    for host in ["127.0.0.1", "localhost", "0.0.0.0"] {
        let variables = [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_EXPORTER_PROMETHEUS_HOST", host),
        ];
        let telemetry = kit::within(variables).build().expect("it starts");
        let address = telemetry.metrics_addr().expect("served");
        assert_eq!(address.ip().is_unspecified(), host == "0.0.0.0", "{address}");
        assert_eq!(
            hub_otel_tests::http::get(format!("http://127.0.0.1:{}/metrics", address.port()))
                .status,
            200
        );
        telemetry.shutdown_blocking();
    }
}

/// Emits a span with five attributes, events and links, and a record with five attributes. All
/// values have ten characters.
#[expect(clippy::disallowed_methods, reason = "a span without a unit of work around it")]
fn five_of_everything(telemetry: &Telemetry) {
    use hub_otel::otel::opentelemetry::logs::{LogRecord, Logger, LoggerProvider};
    use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
    let keys = ["a", "b", "c", "d", "e"];
    let attributes = || keys.map(|key| KeyValue::new(key, "ü123456789")).to_vec();
    let mut span = hub_otel::otel::tracer_provider(telemetry).tracer("tests").start("five");
    span.set_attributes(attributes());
    for _ in 0..5 {
        span.add_event("event", attributes());
        span.add_link(span.span_context().clone(), attributes());
    }
    span.end();
    let logger = hub_otel::otel::logger_provider(telemetry).logger("tests");
    let mut record = logger.create_log_record();
    keys.iter().for_each(|key| record.add_attribute(*key, "ü123456789"));
    logger.emit(record);
}

#[test]
fn limits_cut_what_they_name_and_count_it() {
    let run = |variables: &[(&str, &str)]| {
        let receiver = Receiver::start();
        let telemetry = start(&receiver, variables.iter().copied());
        five_of_everything(&telemetry);
        complete(telemetry);
        (receiver.spans()[0].item.clone(), receiver.logs()[0].item.clone())
    };
    let (span, log) = run(&[]);
    assert_eq!(
        (span.attributes.len(), span.events.len(), span.links.len(), log.attributes.len()),
        (5, 5, 5, 5)
    );
    let (span, log) = run(&[("OTEL_ATTRIBUTE_COUNT_LIMIT", "3")]);
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (3, 2));
    assert_eq!((log.attributes.len(), log.dropped_attributes_count), (3, 2));
    let (span, log) =
        run(&[("OTEL_ATTRIBUTE_COUNT_LIMIT", "3"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "4")]);
    assert_eq!((span.attributes.len(), log.attributes.len()), (4, 3));
    let (span, log) = run(&[("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1")]);
    assert_eq!((span.attributes.len(), log.attributes.len()), (5, 1));
    let (span, _) = run(&[
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "2"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "1"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "4"),
    ]);
    assert_eq!((span.events.len(), span.dropped_events_count), (2, 3));
    assert_eq!((span.links.len(), span.dropped_links_count), (1, 4));
    assert_eq!((span.events[0].attributes.len(), span.events[0].dropped_attributes_count), (3, 2));
    assert_eq!((span.links[0].attributes.len(), span.links[0].dropped_attributes_count), (4, 1));
    // Characters, not bytes.
    let (span, log) = run(&[("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")]);
    assert_eq!(
        (text(&span.attributes, "a"), text(&log.attributes, "a")),
        (Some("ü12"), Some("ü12"))
    );
    assert_eq!(text(&span.events[0].attributes, "a"), Some("ü12"));
    assert_eq!(text(&span.links[0].attributes, "a"), Some("ü12"));
    let (span, log) = run(&[
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
    ]);
    assert_eq!(
        (text(&span.attributes, "a"), text(&log.attributes, "a")),
        (Some("ü1234"), Some("ü"))
    );
}

#[test]
fn every_variable_is_printed_with_its_value_and_its_origin() {
    let document = include_str!("../../docs/configuration.md");
    let printed = kit::builder().config().expect("the defaults").to_string();
    // The variables that the tables contain in full. Those of one signal represent the common ones.
    let in_tables = document.lines().filter(|line| {
        line.starts_with("| OTEL_") || line.starts_with("| HUB_") || line.starts_with("| RUST_")
    });
    let names = in_tables
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split(','))
        .map(str::trim);
    let mut missing = Vec::new();
    for name in names.filter(|name| {
        name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.ends_with('…')
    }) {
        let of_traces = name.replace("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_");
        if ![name, &of_traces]
            .iter()
            .any(|name| printed.lines().any(|line| line.starts_with(&format!("{name} = "))))
        {
            missing.push(name.to_owned());
        }
    }
    // Printed only if set, or under another name.
    missing.retain(|name| {
        ![
            "OTEL_EXPORTER_OTLP_INSECURE",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "OTEL_TRACES_SAMPLER_ARG",
            "OTEL_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
            "OTEL_SERVICE_NAME",
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_SEMCONV_STABILITY_OPT_IN",
            "HUB_OTEL_ALLOW_INSECURE_CREDENTIALS",
            "OTEL_HUB_LIVE_TOKEN",
            "OTEL_HUB_LIVE_HOSTS",
            "OTEL_HUB_LIVE_TRACE_URL",
        ]
        .contains(&name.as_str())
    });
    assert_eq!(missing, Vec::<String>::new(), "{printed}");
    assert!(printed.lines().all(|line| line.contains(" = ") && line.ends_with(')')), "{printed}");
}
