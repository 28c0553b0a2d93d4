//! Secrets stay: out of spans, log records, Debug output, errors and `/metrics`.

use crate::kit;
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
use hub_otel::otel::{meter_provider, tracer_provider};
use hub_otel_tests::http;
use hub_otel_tests::receiver::{Receiver, text};

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
    let labels = ["one", "two"].map(|suffix| [KeyValue::new("session_token", format!("{SECRET}{suffix}"))]);
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
    hub_otel_tests::scrape::Scrape::parse(&page).expect("well-formed although two label sets became alike");
}

#[test]
fn a_header_shows_neither_in_debug_output_nor_in_errors() {
    let builder = kit::builder().header("authorization", format!("Bearer {SECRET}"));
    let config = builder.config().expect("plain http to this machine is fine");
    let telemetry =
        kit::builder().header("authorization", format!("Bearer {SECRET}")).build().expect("it starts");
    for shown in
        [format!("{config}"), format!("{config:?}"), format!("{builder:?}"), format!("{telemetry:?}")]
    {
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
    assert!(at("http://collector.example").allow_insecure_credentials("collector.example").config().is_ok());
    assert!(kit::builder().header("x-tenant", "blue").endpoint("http://collector.example").config().is_ok());
}
