//! Instruments over their cardinality limit: one warning, for every metrics exporter.

use crate::kit;
use hub_otel_tests::http;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
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

/// Both exports have the same series of units. Seven hundred label sets are more series than the
/// SDK keeps by default.
#[test]
fn the_cap_of_label_sets_is_a_setting_and_applies_to_both_exports() {
    for temporality in ["cumulative", "delta"] {
        let receiver = Receiver::start();
        let mut command = kit::case("overflow::case::many_agents");
        command.envs([
            ("HUB_OTEL_MAX_LABEL_SETS", "700"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality),
            ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            // One export, at the shutdown.
            ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
        ]);
        let mut process = Process::spawn(&mut command);
        let line = process.line(SOON, "/metrics");
        let to = line.find("/metrics").expect("a path");
        let from = line[..to].rfind("http://").expect("an address");
        process.line(SOON, "recorded");
        let page = http::get(format!("{}/metrics", &line[from..to])).body;
        // Number and sum of the series whose line contains `label`.
        let series = |name: &str, label: &str| {
            let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
            let values = lines.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>());
            values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value.expect("a number")))
        };
        assert_eq!(series("agent_runs_total{", "status=\"SUCCESS\""), (700, 700.0));
        assert_eq!(series("agent_runs_total{", "status=\"FAILED\""), (700, 0.0));
        assert_eq!(series("agent_runs_total{", "otel_metric_overflow=\"true\""), (1, 10.0));
        assert_eq!(series("agent_duration_milliseconds_count{", ""), (701, 710.0));
        process.terminate();
        process.exit(SOON);
        let metrics = receiver.metrics();
        assert_eq!(receiver.latest_sum("agent.runs.total"), 710.0, "{temporality}");
        let of_runs = metrics.iter().find(|metric| metric.name == "agent.runs.total");
        let Some(Data::Sum(sum)) = &of_runs.expect("exported").data else { panic!("no sum") };
        assert_eq!(sum.data_points.len(), 3 * 700 + 1);
        assert_eq!(sum.aggregation_temporality == 1, temporality == "delta");
        let durations = metrics.iter().find(|metric| metric.name == "agent.duration");
        let Some(Data::Histogram(durations)) = &durations.expect("exported").data else {
            panic!("no histogram")
        };
        assert_eq!(durations.data_points.iter().map(|point| point.count).sum::<u64>(), 710);
        assert!(durations.data_points.iter().all(|point| point.min.is_some()), "{durations:?}");
    }
}

mod case {
    #[test]
    #[ignore = "runs in a child process"]
    fn many_agents() {
        let telemetry =
            hub_otel::Telemetry::builder().shutdown_on_signal(true).install().expect("the install");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            for number in 0..710 {
                hub_otel::agent(format!("agent-{number}"), "work").run(async {}).await;
            }
        });
        eprintln!("recorded");
        let _telemetry = telemetry;
        loop {
            std::thread::park();
        }
    }

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
