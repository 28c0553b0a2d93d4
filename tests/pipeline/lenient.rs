//! Values of the environment that the specification lets an implementation ignore, and those that
//! stay errors.

use crate::kit;
use hub_otel::{Config, Exporter, Protocol, Signal, TelemetryBuilder};
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

fn value(config: &Config, name: &str) -> String {
    let text = config.to_string();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
    line.unwrap_or_default().split("  (").next().unwrap_or_default().to_owned()
}

/// Variable, value, printed setting, its value, and the number of warnings.
type Row = (&'static str, &'static str, &'static str, &'static str, usize);

const TABLE: &[Row] = &[
    // Enumerations: unknown names are ignored.
    ("OTEL_PROPAGATORS", "tracecontext,baggage,b3", "OTEL_PROPAGATORS", "tracecontext,baggage", 1),
    ("OTEL_PROPAGATORS", "b3,jaeger", "OTEL_PROPAGATORS", "tracecontext", 2),
    ("OTEL_TRACES_EXPORTER", "otlp,logging", "OTEL_TRACES_EXPORTER", "otlp", 1),
    ("OTEL_TRACES_EXPORTER", "none,console", "OTEL_TRACES_EXPORTER", "console", 1),
    ("OTEL_METRICS_EXPORTER", "statsd", "OTEL_METRICS_EXPORTER", "prometheus", 1),
    ("OTEL_TRACES_SAMPLER", "jaeger_remote", "OTEL_TRACES_SAMPLER", "parentbased_always_on", 1),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc", 1),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4", "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none", 1),
    // Booleans: all but `true` are false.
    ("OTEL_SDK_DISABLED", "1", "OTEL_SDK_DISABLED", "false", 1),
    ("OTEL_SDK_DISABLED", "FALSE", "OTEL_SDK_DISABLED", "false", 0),
    ("OTEL_SDK_DISABLED", "True", "OTEL_SDK_DISABLED", "true", 0),
    ("OTEL_HUB_STRICT", "on", "OTEL_HUB_STRICT", "false", 1),
    // Timeouts: 0 is none.
    ("OTEL_BSP_EXPORT_TIMEOUT", "0", "OTEL_BSP_EXPORT_TIMEOUT", "0", 0),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "0", 0),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "0", "OTEL_METRIC_EXPORT_TIMEOUT", "0", 0),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "10000", 1),
    // A shutdown without an end is none of the specification.
    ("HUB_OTEL_SHUTDOWN_TIMEOUT", "0", "HUB_OTEL_SHUTDOWN_TIMEOUT", "5000", 1),
    // Numbers: ignored out of range, and if they are none.
    ("HUB_OTEL_MAX_LABEL_SETS", "100001", "HUB_OTEL_MAX_LABEL_SETS", "400", 1),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "OTEL_BSP_MAX_QUEUE_SIZE", "16384", 1),
    ("OTEL_BSP_SCHEDULE_DELAY", "-1", "OTEL_BSP_SCHEDULE_DELAY", "1000", 1),
    ("OTEL_BSP_SCHEDULE_DELAY", "1s", "OTEL_BSP_SCHEDULE_DELAY", "1000", 1),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", 1),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "70000", "OTEL_EXPORTER_PROMETHEUS_PORT", "9464", 1),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "many", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "128", 1),
    // Discarded as a whole.
    ("OTEL_RESOURCE_ATTRIBUTES", "a=b,c", "a", "", 1),
    ("RUST_LOG", "=[", "RUST_LOG", "info", 1),
];

#[test]
fn values_of_the_environment_follow_the_specification() {
    for (name, set, printed, expected, warnings) in TABLE {
        let config = hub_otel::Telemetry::builder().env_source([(*name, *set)]).config();
        let config = config.unwrap_or_else(|error| panic!("{name}={set}: {error}"));
        assert_eq!(value(&config, printed), *expected, "{name}={set}");
        let found = config.warnings();
        assert_eq!(found.len(), *warnings, "{name}={set}: {found:?}");
        for warning in found {
            let begin = format!("{name} is set to `");
            assert!(warning.starts_with(&begin) && warning.contains("; it "), "{warning}");
        }
    }
}

#[test]
fn strict_mode_restores_the_errors_by_builder_and_by_variable() {
    for (name, set, _, _, warnings) in TABLE {
        let strict = [(*name, *set), ("OTEL_HUB_STRICT", "true")];
        if *name == "OTEL_HUB_STRICT" {
            continue;
        }
        let by_variable = hub_otel::Telemetry::builder().env_source(strict).config();
        let by_builder =
            hub_otel::Telemetry::builder().env_source([strict[0]]).strict_environment(true);
        // Only `0` is more than a matter of warnings: it was no timeout.
        let is_error = *warnings > 0 || *set == "0";
        assert_eq!(by_variable.is_err(), is_error, "{name}={set}");
        assert_eq!(by_builder.config().is_err(), is_error, "{name}={set}");
    }
}

#[test]
fn the_builder_stays_strict() {
    let wrong: [TelemetryBuilder; 4] = [
        kit::builder().exporters(Signal::Traces, [Exporter::Prometheus]),
        kit::builder().timeout(Duration::ZERO),
        kit::builder().shutdown_timeout(Duration::from_secs(7_200)),
        // A number is never written like this.
        kit::builder().set_var("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
    ];
    for builder in wrong {
        assert!(builder.config().is_err(), "{builder:?}");
    }
    // `set_var` has values of the environment.
    for (name, value) in [
        ("OTEL_PROPAGATORS", "tracecontext,baggage,b3"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_EXPORTER", "otlp,logging"),
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "0"),
    ] {
        assert!(kit::builder().set_var(name, value).config().is_ok(), "{name}={value}");
    }
}

#[test]
fn an_ignored_value_of_one_signal_gives_way_to_the_common_one() {
    let config = kit::within([
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-5"),
    ])
    .config()
    .expect("one warning");
    assert_eq!(value(&config, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"), "5000");
}

#[test]
fn without_a_timeout_everything_is_delivered() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let receiver = Receiver::start();
        let none = [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "0"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "0"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
        ];
        let telemetry = kit::within(none)
            .endpoint(receiver.endpoint())
            .protocol(protocol)
            .build()
            .expect("it starts");
        kit::span(&telemetry, "a span");
        assert!(telemetry.shutdown_blocking().is_complete(), "{protocol:?}");
        assert_eq!(receiver.spans().len(), 1);
    }
}

#[test]
fn a_mistake_in_a_shared_variable_is_one_line() {
    for (name, wrong) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "maybe"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no equals sign"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "content-length=3"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem"),
    ] {
        // The signals differ in their protocols.
        let variables = [(name, wrong), ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json")];
        let error = kit::within(variables).strict_environment(true).config().expect_err(wrong);
        assert_eq!(error.problems().len(), 1, "{error}");
        if let Ok(config) = kit::within(variables).config() {
            assert_eq!(config.warnings().len(), 1, "{:?}", config.warnings());
        }
    }
}

#[test]
fn headers_of_the_connection_and_of_the_encoding_are_refused() {
    for name in [
        "Connection",
        "keep-alive",
        "Proxy-Connection",
        "TE",
        "trailer",
        "Transfer-Encoding",
        "upgrade",
        "content-length",
        "Content-Type",
        "content-encoding",
        "grpc-timeout",
    ] {
        for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
            let builder = kit::builder().protocol(protocol).header(name, "x");
            let error = builder.config().expect_err(name).to_string();
            assert!(error.contains(&format!("`{}`", name.to_lowercase())), "{error}");
        }
    }
    assert!(kit::builder().header("x-scope-orgid", "team").config().is_ok());
}

/// Accepts requests and returns their paths.
fn paths_of(endpoint: impl FnOnce(&str) -> TelemetryBuilder) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let telemetry = endpoint(&url).build().expect("it starts");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("a request");
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(reply).expect("sent");
        line.split(' ').nth(1).unwrap_or_default().to_owned()
    });
    kit::span(&telemetry, "a span");
    telemetry.shutdown_blocking();
    vec![server.join().expect("a path")]
}

#[test]
fn the_endpoint_of_a_signal_is_used_as_given_and_the_common_one_is_a_base() {
    let http = || {
        kit::builder()
            .protocol(Protocol::HttpProtobuf)
            .exporters(Signal::Metrics, [])
            .exporters(Signal::Logs, [])
    };
    for (path, expected) in [("/in/x/", "/in/x/"), ("/in/x", "/in/x"), ("/", "/"), ("", "/")] {
        let own = paths_of(|url| http().signal_endpoint(Signal::Traces, format!("{url}{path}")));
        assert_eq!(own, [expected], "{path:?}");
    }
    for (path, expected) in [
        ("", "/v1/traces"),
        ("/", "/v1/traces"),
        ("/base", "/base/v1/traces"),
        ("/base/", "/base/v1/traces"),
    ] {
        assert_eq!(paths_of(|url| http().endpoint(format!("{url}{path}"))), [expected], "{path:?}");
    }
}

#[test]
fn each_ignored_value_is_one_line_on_stderr_at_the_start() {
    let mut command = kit::case("lenient::case::starts");
    command.envs([
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_PROPAGATORS", "tracecontext,b3"),
        ("OTEL_SDK_DISABLED", "1"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(SOON).success(), "{}", process.stderr());
    let stderr = process.stderr();
    for line in [
        "[OpenTelemetry] OTEL_EXPORTER_OTLP_TIMEOUT is set to `10s`; expected milliseconds",
        "[OpenTelemetry] OTEL_PROPAGATORS is set to `b3`; expected one of",
        "[OpenTelemetry] OTEL_SDK_DISABLED is set to `1`; expected `true` or `false`; it counts as",
    ] {
        assert_eq!(stderr.matches(line).count(), 1, "{line}: {stderr}");
    }
    assert!(stderr.contains("Instrumentation started"), "{stderr}");
}

mod case {
    #[test]
    #[ignore = "runs in a child process"]
    fn starts() {
        hub_otel::init("lenient").expect("the install").shutdown_blocking();
    }
}
