//! The environment: invalid values are named, and the precedence of valid ones.

use crate::kit;
use hub_otel::{Exporter, InitError, Protocol, Sensitive, Signal};
use std::time::Duration;

/// Returns the error in strict mode.
fn refused(variables: &[(&str, &str)]) -> InitError {
    match kit::within(variables.iter().copied()).strict_environment(true).config() {
        Ok(config) => panic!("{variables:?} was taken:\n{config}"),
        Err(error) => error,
    }
}

#[test]
fn every_invalid_value_is_an_error_in_strict_mode_that_names_variable_value_and_remedy() {
    let table: &[(&str, &str, &str)] = &[
        ("OTEL_SDK_DISABLED", "yes", "`true` or `false`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost4317", "e.g. `http://localhost:4317`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", "e.g. `http://localhost:4317`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x", "`http://` or `https://`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:99999", "a port from 1 to 65535"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:", "a port after the colon"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b", "a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1", "a URL"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x?y", "without query"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http", "`http/protobuf`"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "thrift", "`http/json`"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli", "`gzip`"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "lz4", "`zstd`"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "maybe", "`true` or `false`"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem", "a PEM file that can be read"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/such/key.pem", "a PEM file that can be read"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "`otlp`, `console`"),
        ("OTEL_TRACES_EXPORTER", "otlp,none", "or `none`"),
        ("OTEL_METRICS_EXPORTER", "statsd", "`prometheus`"),
        ("OTEL_LOGS_EXPORTER", "syslog", "`console`"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "`parentbased_traceidratio`"),
        ("OTEL_PROPAGATORS", "b3", "`tracecontext`, `baggage`"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "http", "a port from 0"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "70000", "a port from 0"),
        ("OTEL_EXPORTER_PROMETHEUS_HOST", "http://x", "a host or an IP address"),
        ("HUB_OTEL_MAX_LABEL_SETS", "0", "a whole number from 1 to 100000"),
        ("HUB_OTEL_MAX_LABEL_SETS", "many", "a whole number from 1 to 100000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "a whole number from 1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615", "a whole number from 1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "a whole number from 1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20000", "no more than the queue holds"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "milliseconds"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "soon", "milliseconds"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "0", "milliseconds"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "x", "a whole number"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1", "milliseconds"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "0", "milliseconds"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "-1", "a whole number"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "long", "a whole number"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many", "a whole number"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no-equals", "pair 1 has no `=`"),
        ("OTEL_RESOURCE_ATTRIBUTES", "key=%zz", "the value of `key`"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=value", "pair 1 has no key"),
        ("RUST_LOG", "=[", "directives"),
    ];
    for (name, value, remedy) in table {
        let error = refused(&[(name, value)]);
        let text = error.to_string();
        assert_eq!(error.kind(), hub_otel::InitErrorKind::InvalidSettings);
        assert!(
            text.contains(name) && text.contains(value) && text.contains(remedy),
            "{name}={value}: {text}"
        );
    }
    let ratio =
        refused(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1.5")])
            .to_string();
    assert!(
        ratio.contains("OTEL_TRACES_SAMPLER_ARG")
            && ratio.contains("1.5")
            && ratio.contains("0.0 to 1.0")
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let error = refused(&[
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_PROPAGATORS", "x"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ]);
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(error.to_string().starts_with("3 settings are wrong:\n"));
}

#[test]
fn an_empty_variable_counts_as_unset_and_an_empty_builder_value_is_an_error() {
    assert!(
        kit::within([("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_TRACES_EXPORTER", " ")])
            .config()
            .is_ok()
    );
    let error = kit::builder().endpoint("").config().expect_err("an empty endpoint");
    assert!(error.to_string().contains("builder().endpoint(…) is empty"), "{error}");
    for builder in
        [kit::builder().override_service_name(""), kit::builder().default_service_name(" ")]
    {
        assert!(builder.config().is_err());
    }
}

/// Returns the printed line of one setting.
fn line(builder: &hub_otel::TelemetryBuilder, name: &str) -> String {
    let text = builder.config().expect("a configuration").to_string();
    text.lines()
        .find_map(|line| line.strip_prefix(&format!("{name} = ")))
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn the_default_port_of_metrics_is_9464_unless_the_application_chooses_another() {
    let name = "OTEL_EXPORTER_PROMETHEUS_PORT";
    let unset = || hub_otel::Telemetry::builder().env_source([("OTEL_SERVICE_NAME", "ports")]);
    assert_eq!(line(&unset(), name), "9464  (default)");
    assert_eq!(line(&unset().default_prometheus_port(9465), name), "9465  (default)");
    let configured = kit::within([(name, "9466")]).default_prometheus_port(9465);
    assert_eq!(line(&configured, name), format!("9466  ({name})"));
}

#[test]
fn the_builder_precedes_the_environment_and_the_environment_precedes_defaults() {
    let name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    assert_eq!(line(&kit::builder(), name), "http://localhost:4317  (default)");
    let set =
        || kit::within([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1"), (name, "http://own:2")]);
    assert_eq!(line(&set(), name), format!("http://own:2  ({name})"));
    assert_eq!(
        line(&set(), "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"),
        "http://all:1  (OTEL_EXPORTER_OTLP_ENDPOINT)"
    );
    assert_eq!(
        line(&set().endpoint("http://code:3"), name),
        "http://code:3  (builder().endpoint(…))"
    );
}

#[test]
fn http_moves_the_default_port_and_appends_the_signals_path_to_the_common_endpoint_only() {
    let http = || kit::builder().protocol(Protocol::HttpProtobuf);
    assert!(
        line(&http(), "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
            .starts_with("http://localhost:4318/v1/logs ")
    );
    let base = kit::within([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:9/base/"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ]);
    assert!(
        line(&base, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
            .starts_with("http://c:9/base/v1/metrics ")
    );
    let own = http().signal_endpoint(Signal::Traces, "http://c:9/mine");
    assert!(line(&own, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").starts_with("http://c:9/mine "));
}

#[test]
fn a_host_without_a_scheme_is_accepted_if_insecure_selects_the_scheme() {
    let at = |insecure| {
        kit::within([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
        ])
    };
    assert!(
        line(&at("true"), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .starts_with("http://collector:4317 ")
    );
    assert!(
        line(&at("false"), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .starts_with("https://collector:4317 ")
    );
}

#[test]
fn the_name_of_the_service_follows_the_specification() {
    let both = [
        ("OTEL_SERVICE_NAME", "from-name"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-attributes,a.b=c%2Cd%20e"),
    ];
    assert!(line(&kit::builder(), "service.name").starts_with("the-service "));
    assert!(
        line(&kit::within(both[1..].iter().copied()), "service.name")
            .starts_with("from-attributes ")
    );
    assert!(line(&kit::within(both), "service.name").starts_with("from-name "));
    assert!(line(&kit::within(both), "a.b").starts_with("c,d e "));
    assert!(
        line(&kit::within(both).override_service_name("from-code"), "service.name")
            .starts_with("from-code ")
    );
    let spaced = [("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=theirs")];
    assert!(
        line(&kit::builder().default_service_namespace("ours"), "service.namespace")
            .starts_with("ours ")
    );
    assert!(
        line(&kit::within(spaced).default_service_namespace("ours"), "service.namespace")
            .starts_with("theirs ")
    );
}

#[test]
fn a_disabled_sdk_gives_a_guard_that_does_nothing() {
    let telemetry = kit::within([("OTEL_SDK_DISABLED", "TRUE")]).build().expect("an inert guard");
    assert!(!telemetry.health().enabled);
    kit::span(&telemetry, "nowhere");
    assert_eq!(telemetry.shutdown_blocking(), hub_otel::Report::default());
}

#[test]
fn the_configured_sampler_applies() {
    for (sampler, argument, kept) in [
        ("always_off", "1", 0),
        ("always_on", "0", 20),
        ("traceidratio", "0", 0),
        ("parentbased_traceidratio", "1", 20),
    ] {
        let receiver = hub_otel_tests::receiver::Receiver::start();
        let variables = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)];
        let telemetry =
            kit::within(variables).endpoint(receiver.endpoint()).build().expect("it starts");
        (0..20).for_each(|n| kit::span(&telemetry, &format!("{n}")));
        assert_eq!(telemetry.shutdown_blocking().traces.finished, kept, "{sampler}");
        assert_eq!(receiver.spans().len() as u64, kept);
    }
}

#[test]
fn a_signal_without_an_exporter_starts_nothing() {
    let none = [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let telemetry = kit::within(none).build().expect("it starts");
    assert_eq!(telemetry.metrics_addr(), None);
    assert_eq!(telemetry.health().traces, "nowhere");
    kit::span(&telemetry, "nowhere");
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
fn health_contains_the_destination_of_each_signal() {
    let telemetry = kit::builder()
        .exporters(Signal::Metrics, [Exporter::Otlp, Exporter::Prometheus])
        .signal_endpoint(Signal::Metrics, "http://localhost:1")
        .shutdown_timeout(Duration::from_millis(10))
        .build()
        .expect("it starts");
    let status = telemetry.health();
    let address = status.metrics_addr.expect("served");
    assert_eq!(status.metrics, format!("http://localhost:1 (grpc) and http://{address}/metrics"));
}

#[test]
fn a_sensitive_value_is_printed_redacted() {
    let token = Sensitive::new("hunter2");
    assert_eq!(format!("{token} {token:?}"), "[REDACTED] [REDACTED]");
}
