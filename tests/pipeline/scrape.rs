//! `/metrics`: the documented names, the resource labels, and text that another parser accepts.

use crate::kit;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::semconv::METRICS;
use hub_otel_tests::receiver::{Behaviour, Receiver};
use hub_otel_tests::scrape::Scrape;

fn scrape(telemetry: &hub_otel::Telemetry) -> Scrape {
    Scrape::of(format!("http://{}/metrics", telemetry.metrics_addr().expect("served")))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "instruments by hand, of the names that the contract has"
)]
fn a_counter_has_one_suffix_and_every_series_its_target() {
    let telemetry = kit::builder()
        .default_service_namespace("the-namespace")
        .deployment_environment("staging")
        .build()
        .expect("it starts");
    let meter = meter_provider(&telemetry).meter("tests");
    for metric in METRICS.iter().filter(|metric| {
        metric.name.starts_with("workflow.runs") || metric.name.starts_with("agent.")
    }) {
        match metric.kind {
            hub_otel::semconv::InstrumentKind::Counter => {
                meter
                    .u64_counter(metric.name)
                    .with_unit(metric.unit)
                    .with_description(metric.description)
                    .build()
                    .add(1, &[]);
            }
            _ => meter
                .f64_histogram(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.description)
                .build()
                .record(1.0, &[]),
        }
    }
    let odd = [KeyValue::new("odd label", "quote \" back\\slash\nnewline \u{1b}[31m \u{0} é")];
    meter.f64_gauge("1 odd name").build().record(f64::NAN, &odd);
    let scrape = scrape(&telemetry);
    for name in
        ["workflow_runs_total", "agent_runs_total", "agent_errors_total", "agent_retry_count_total"]
    {
        assert_eq!(scrape.value(name, &[("service_name", "the-service")]), Some(1.0), "{name}");
        assert_eq!(scrape.families[name].kind, "counter");
        assert!(!scrape.families[name].help.is_empty());
    }
    assert!(scrape.families.contains_key("agent_duration_milliseconds"));
    assert!(scrape.families.keys().all(|name| !name.ends_with("_total_total")));
    for sample in scrape.samples.iter().filter(|sample| sample.name != "target_info") {
        for (label, value) in [
            ("service_name", "the-service"),
            ("service_namespace", "the-namespace"),
            ("deployment_environment_name", "staging"),
        ] {
            assert_eq!(sample.labels.get(label).map(String::as_str), Some(value), "{sample:?}");
        }
        assert!(sample.labels.keys().all(|label| !label.starts_with("otel_scope")), "{sample:?}");
    }
}

#[test]
fn the_delivery_counts_are_on_metrics_from_the_start_and_after_a_loss() {
    let receiver = Receiver::start();
    receiver.always(Behaviour::status(400));
    let telemetry =
        kit::to(&receiver).protocol(hub_otel::Protocol::HttpProtobuf).build().expect("it starts");
    let items = |scrape: &Scrape, labels: &[(&str, &str)]| {
        scrape.value("hub_otel_export_items_total", labels)
    };
    let before = scrape(&telemetry);
    assert_eq!(items(&before, &[("signal", "traces"), ("result", "ok")]), Some(0.0));
    assert_eq!(
        items(&before, &[("signal", "logs"), ("result", "dropped"), ("reason", "queue_full")]),
        Some(0.0)
    );
    (0..3).for_each(|n| kit::span(&telemetry, &format!("{n}")));
    assert_eq!(telemetry.flush_blocking().traces.failed, 3);
    hub_otel_tests::poll::until(std::time::Duration::from_secs(5), || {
        let labels = [("signal", "traces"), ("result", "failed"), ("reason", "http_400")];
        items(&scrape(&telemetry), &labels) == Some(3.0)
    });
}
