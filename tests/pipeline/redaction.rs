//! Redaction of secrets in spans, log records, `Debug` output, errors and `/metrics`.

use crate::kit;
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
use hub_otel::otel::{meter_provider, tracer_provider};
use hub_otel::{Exporter, Protocol, Sensitive, Signal};
use hub_otel_tests::http;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Receiver, text};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;

const SECRET: &str = "hunter2";

#[test]
#[expect(clippy::disallowed_methods, reason = "spans and instruments of the user's own")]
fn a_value_under_a_secret_key_never_leaves_the_process() {
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver)
        .deny_attribute("customer.iban")
        .allow_attribute("csrf.token")
        .build()
        .expect("it starts");
    let mut span = tracer_provider(&telemetry).tracer("tests").start("login");
    for key in ["db.password", "customer.iban", "csrf.token", "harmless"] {
        span.set_attribute(KeyValue::new(key, SECRET));
    }
    span.add_event("seen", vec![KeyValue::new("api_key", SECRET)]);
    span.end();
    let labels =
        ["one", "two"].map(|suffix| [KeyValue::new("session_token", format!("{SECRET}{suffix}"))]);
    let counter = meter_provider(&telemetry).meter("tests").u64_counter("logins").build();
    labels.iter().for_each(|labels| counter.add(1, labels));
    let address = telemetry.metrics_addr().expect("served");
    let page = http::get(format!("http://{address}/metrics")).body;
    assert!(telemetry.shutdown_blocking().is_complete());

    let span = &receiver.spans()[0].item;
    assert_eq!(text(&span.attributes, "db.password"), Some("[REDACTED]"));
    assert_eq!(text(&span.attributes, "customer.iban"), Some("[REDACTED]"));
    assert_eq!(text(&span.attributes, "csrf.token"), Some(SECRET));
    assert_eq!(text(&span.attributes, "harmless"), Some(SECRET));
    assert_eq!(text(&span.events[0].attributes, "api_key"), Some("[REDACTED]"));
    assert!(!page.contains(SECRET) && page.contains("[REDACTED]"), "{page}");
    hub_otel_tests::scrape::Scrape::parse(&page)
        .expect("well-formed although two label sets became alike");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "spans and instruments of the user's own")]
fn numbers_booleans_and_measures_of_tokens_are_not_redacted() {
    use hub_otel::otel::opentelemetry::{Array, Value};
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver)
        .exporters(Signal::Metrics, [Exporter::Otlp, Exporter::Prometheus])
        .build()
        .expect("it starts");
    let mut span = tracer_provider(&telemetry).tracer("tests").start("completion");
    let kept = [
        KeyValue::new("gen_ai.token.type", "input"),
        KeyValue::new("gen_ai.token.modality", "text"),
        KeyValue::new("llm.token_count.prompt", "many"),
        KeyValue::new("token_count", "7"),
        KeyValue::new("first_token_ms", "12.5"),
        KeyValue::new("password", 7),
        KeyValue::new("session.token", 0.5),
        KeyValue::new("cookie", true),
        KeyValue::new("secrets", Value::Array(Array::I64(vec![1, 2]))),
    ];
    let redacted = ["Authorization", "api_key", "apiKey", "db.password", "cookies", "accessToken"];
    span.set_attributes(kept.clone());
    span.set_attributes(redacted.map(|key| KeyValue::new(key, SECRET)));
    span.end();
    let subscriber = tracing_subscriber::registry().with(hub_otel::otel::tracing_layer(&telemetry));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(
            password = 7,
            token_count = "7",
            cookie = true,
            api_key = SECRET,
            "of fields"
        );
    });
    let counter = meter_provider(&telemetry).meter("tests").u64_counter("calls").build();
    for labels in [
        [KeyValue::new("gen_ai.token.type", "input"), KeyValue::new("token", "one")],
        [KeyValue::new("gen_ai.token.type", "input"), KeyValue::new("token", "two")],
        [KeyValue::new("gen_ai.token.type", "input"), KeyValue::new("token", 3)],
    ] {
        counter.add(1, &labels);
    }
    let address = telemetry.metrics_addr().expect("served");
    let page = || http::get(format!("http://{address}/metrics")).body;
    let first = page();
    assert!(telemetry.flush_blocking().metrics.ok > 0);
    assert!(telemetry.shutdown_blocking().is_complete());

    let attributes = &receiver.spans()[0].attributes;
    for KeyValue { key, value, .. } in kept {
        let sent = attributes.iter().find(|attribute| attribute.key == key.as_str());
        let sent = format!("{:?}", sent.expect("exported").value);
        assert!(!sent.contains("REDACTED"), "{key}={value}: {sent}");
    }
    for key in redacted {
        assert_eq!(text(attributes, key), Some("[REDACTED]"), "{key}");
    }
    let log = &receiver.logs()[0];
    assert_eq!(text(&log.attributes, "api_key"), Some("[REDACTED]"));
    assert_eq!(text(&log.attributes, "token_count"), Some("7"));
    assert_eq!(format!("{log:?}").matches("REDACTED").count(), 1, "{log:?}");
    // Three series: two that differ only in a secret, and one with a number.
    let pushed = format!("{:?}", receiver.metrics().iter().rfind(|metric| metric.name == "calls"));
    for shown in [pushed, first] {
        assert!(shown.contains("input") && shown.contains("[REDACTED] 2"), "{shown}");
        assert!(!shown.contains("[REDACTED] 3"), "{shown}");
    }
}

#[test]
fn the_first_redaction_of_a_key_is_reported_once() {
    let receiver = Receiver::start();
    let mut command = kit::case("redaction::case::lines");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(Duration::from_secs(30)).success(), "{}", process.stderr());
    let stderr = process.stderr();
    for (key, word) in [("api_key", "key"), ("db.password", "password"), ("session.token", "token")]
    {
        let line = format!(
            "[OpenTelemetry] the values of `{key}` are exported as [REDACTED], because the name \
             contains `{word}`: allow_attribute(\"{key}\") exports them, \
             deny_attribute(\"{key}\") confirms the redaction\n"
        );
        assert_eq!(stderr.matches(&line).count(), 1, "{key}: {stderr}");
    }
    assert!(!stderr.contains("values of `customer.iban`"), "denied by the program: {stderr}");
}

/// Puts a secret into every place that can hold a value. No output contains it.
#[test]
#[expect(clippy::disallowed_methods, reason = "spans and instruments of the user's own")]
fn a_canary_secret_appears_nowhere() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        let receiver = Receiver::start();
        let builder = || {
            kit::to(&receiver)
                .protocol(protocol)
                .header("authorization", format!("Bearer {SECRET}"))
                .exporters(Signal::Metrics, [Exporter::Otlp, Exporter::Prometheus])
                .resource_attribute("owner.api_key", SECRET)
                .deny_attribute("customer.iban")
        };
        let telemetry = builder().build().expect("it starts");
        let mut span = tracer_provider(&telemetry).tracer("tests").start("login");
        for key in ["customer.iban", "db.password", "aws.access_key"] {
            span.set_attribute(KeyValue::new(key, SECRET));
        }
        span.set_attribute(KeyValue::new("harmless", Sensitive::new(SECRET)));
        span.add_event("seen", vec![KeyValue::new("cookie", SECRET)]);
        span.add_event("wrapped", vec![KeyValue::new("value", Sensitive::new(SECRET))]);
        span.add_link(span.span_context().clone(), vec![KeyValue::new("auth.token", SECRET)]);
        span.end();
        let subscriber =
            tracing_subscriber::registry().with(hub_otel::otel::tracing_layer(&telemetry));
        tracing::subscriber::with_default(subscriber, || {
            let wrapped = Sensitive::new(SECRET);
            tracing::info!(
                password = SECRET,
                db.password = SECRET,
                customer.iban = SECRET,
                "of fields"
            );
            tracing::info!(plain = %wrapped, debug = ?wrapped, "of wrapped values: {wrapped}");
        });
        structured_record(&telemetry);
        let meter = meter_provider(&telemetry).meter("tests");
        for key in ["session_token", "customer.iban"] {
            meter.u64_counter("logins").build().add(1, &[KeyValue::new(key, SECRET)]);
        }
        meter.f64_histogram("times").build().record(1.0, &[KeyValue::new("secret", SECRET)]);
        let address = telemetry.metrics_addr().expect("served");
        let page = http::get(format!("http://{address}/metrics")).body;
        let printed = format!(
            "{telemetry:?} {} {:?} {:?}",
            telemetry.config(),
            telemetry.health(),
            builder()
        );
        let report = telemetry.shutdown_blocking();
        assert!(report.is_complete(), "{report}");
        // The places are exported: each contains the replacement.
        let logs = receiver.logs();
        assert_eq!(logs.len(), 3, "{logs:?}");
        for key in ["password", "db.password", "customer.iban"] {
            let found =
                logs.iter().filter(|log| text(&log.attributes, key) == Some("[REDACTED]")).count();
            assert_eq!(found, 1, "{key}: {logs:?}");
        }
        let requests = receiver.requests();
        assert!(requests.iter().any(|request| {
            request.header("authorization").is_some_and(|value| value.contains(SECRET))
        }));
        let sent: String =
            requests.iter().map(|request| format!("{:?}", request.payload)).collect();
        assert!(sent.matches("[REDACTED]").count() >= 15, "{sent}");
        for (what, shown) in [
            ("sent", sent),
            ("printed", printed),
            ("/metrics", page),
            ("report", format!("{report:?}")),
        ] {
            assert!(!shown.contains(SECRET), "{protocol:?}, {what}: {shown}");
        }
    }
}

/// Emits a record with secrets inside a map, in an attribute and in the body.
fn structured_record(telemetry: &hub_otel::Telemetry) {
    use hub_otel::otel::opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider};
    use std::collections::HashMap;
    let logger = hub_otel::otel::logger_provider(telemetry).logger("tests");
    let map = || {
        let inner = HashMap::from([("password".into(), AnyValue::from(SECRET))]);
        let list = vec![AnyValue::Map(Box::new(inner))];
        AnyValue::Map(Box::new(HashMap::from([(
            "logins".into(),
            AnyValue::ListAny(Box::new(list)),
        )])))
    };
    let mut record = logger.create_log_record();
    record.set_body(map());
    record.add_attribute("request", map());
    logger.emit(record);
}

#[test]
fn the_lines_on_stderr_show_no_secret_either() {
    let receiver = Receiver::start();
    let mut command = kit::case("redaction::case::lines");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(Duration::from_secs(30)).success(), "{}", process.stderr());
    let stderr = process.stderr();
    // A line, a span's field in it, a span's attribute, a metric's label.
    assert!(stderr.matches("[REDACTED]").count() >= 4, "{stderr}");
    assert!(
        stderr.contains("harmless=\"seen\"") && stderr.contains("a line with a field"),
        "{stderr}"
    );
    assert!(!stderr.contains(SECRET), "{stderr}");
}

mod case {
    use super::SECRET;
    use hub_otel::otel::opentelemetry::KeyValue;
    use hub_otel::otel::opentelemetry::metrics::MeterProvider;
    use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(clippy::disallowed_methods, reason = "spans and instruments of the user's own")]
    fn lines() {
        let telemetry = hub_otel::Telemetry::builder()
            .deny_attribute("customer.iban")
            .install()
            .expect("the install");
        let around = tracing::info_span!("around", api_key = SECRET);
        around.in_scope(|| {
            tracing::info!(customer.iban = SECRET, harmless = "seen", "a line with a field");
        });
        let mut span = hub_otel::otel::tracer_provider(&telemetry).tracer("tests").start("login");
        span.set_attribute(KeyValue::new("db.password", SECRET));
        span.end();
        let mut span = hub_otel::otel::tracer_provider(&telemetry).tracer("tests").start("again");
        span.set_attribute(KeyValue::new("db.password", SECRET));
        span.end();
        let meter = hub_otel::otel::meter_provider(&telemetry).meter("tests");
        meter.u64_counter("logins").build().add(1, &[KeyValue::new("session.token", SECRET)]);
        if let Some(address) = telemetry.metrics_addr() {
            let page = hub_otel_tests::http::get(format!("http://{address}/metrics")).body;
            assert!(!page.contains(SECRET), "{page}");
        }
        telemetry.shutdown_blocking();
    }
}

#[test]
fn a_secret_among_resource_attributes_shows_in_no_error() {
    let broken = [("OTEL_RESOURCE_ATTRIBUTES", "api_key=hunter2,no equals sign")];
    let strict = kit::within(broken).strict_environment(true);
    let error = strict.config().expect_err("no `=`").to_string();
    let warnings = kit::within(broken).config().expect("it is ignored").warnings().join("\n");
    for text in [error, warnings] {
        assert!(text.contains("api_key=[REDACTED]") && text.contains("no equals sign"), "{text}");
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_header_shows_neither_in_debug_output_nor_in_errors() {
    let builder = kit::builder().header("authorization", format!("Bearer {SECRET}"));
    let config = builder.config().expect("plain http to this machine is fine");
    let telemetry = kit::builder()
        .header("authorization", format!("Bearer {SECRET}"))
        .build()
        .expect("it starts");
    for shown in [
        format!("{config}"),
        format!("{config:?}"),
        format!("{builder:?}"),
        format!("{telemetry:?}"),
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    assert!(config.to_string().contains("authorization=[REDACTED]"));
    for wrong in ["authorization", "=hunter2", "a b=hunter2", "key=hunter2%zz", "key=hunter2%0a"] {
        let error = kit::within([("OTEL_EXPORTER_OTLP_HEADERS", wrong)]).config().expect_err(wrong);
        assert!(error.to_string().contains("OTEL_EXPORTER_OTLP_HEADERS"), "{error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
    let inside = kit::within([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2@host")])
        .config()
        .expect_err("userinfo");
    assert!(!format!("{inside:?}").contains(SECRET), "{inside}");
}

#[test]
fn credentials_over_plain_http_are_an_error_unless_the_host_is_allowed_by_name() {
    let at = |endpoint: &str| kit::builder().header("Authorization", "Basic x").endpoint(endpoint);
    let error = at("http://collector.example:4317").config().expect_err("unencrypted credentials");
    assert!(
        error.to_string().contains("https://") && error.to_string().contains("collector.example"),
        "{error}"
    );
    assert_eq!(error.problems().len(), 1, "once, not once a signal: {error}");
    for fine in [
        "https://collector.example:4317",
        "http://localhost:4317",
        "http://127.0.0.1:4317",
        "http://[::1]:4317",
    ] {
        assert!(at(fine).config().is_ok(), "{fine}");
    }
    assert!(
        at("http://collector.example")
            .allow_insecure_credentials("collector.example")
            .config()
            .is_ok()
    );
    assert!(
        kit::builder()
            .header("x-tenant", "blue")
            .endpoint("http://collector.example")
            .config()
            .is_ok()
    );
}
