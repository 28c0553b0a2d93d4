//! Instruments over their cardinality limit: one warning, for every metrics exporter.

use crate::kit;
use hub_otel_tests::http;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn an_overflow_is_reported_once_for_every_metrics_exporter() {
    for exporters in ["otlp", "prometheus", "console", "otlp,prometheus"] {
        let receiver = Receiver::start();
        let mut command = kit::case("overflow::case::overflows");
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_METRICS_EXPORTER", exporters),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ]);
        let mut process = Process::spawn(&mut command);
        if exporters.contains("prometheus") {
            let line = process.line(SOON, "/metrics");
            let to = line.find("/metrics").expect("a path");
            let from = line[..to].rfind("http://").expect("an address");
            let url = format!("{}/metrics", &line[from..to]);
            // Each scrape sees it.
            process.line(SOON, "recorded");
            (0..3).for_each(|_| assert_eq!(http::get(&url).status, 200));
        } else {
            process.line(SOON, "recorded");
        }
        process.line(SOON, "more label sets than the limit");
        process.terminate();
        process.exit(SOON);
        let stderr = process.stderr();
        assert_eq!(
            stderr.matches("more label sets than the limit").count(),
            1,
            "{exporters}:\n{stderr}"
        );
        assert!(
            stderr.contains("many_users") || stderr.contains("many.users"),
            "{exporters}:\n{stderr}"
        );
    }
}

mod case {
    use hub_otel::otel::opentelemetry::KeyValue;
    use hub_otel::otel::opentelemetry::metrics::MeterProvider;

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(clippy::disallowed_methods, reason = "an instrument of the user's own")]
    fn overflows() {
        let telemetry =
            hub_otel::Telemetry::builder().shutdown_on_signal(true).install().expect("the install");
        let meter = hub_otel::otel::meter_provider(&telemetry).meter("tests");
        let counter = meter.u64_counter("many.users").build();
        (0..3_000).for_each(|user| counter.add(1, &[KeyValue::new("user", user)]));
        eprintln!("recorded");
        loop {
            std::thread::park();
        }
    }
}
