//! Panels about calls of models, with the data of a real run of the assistant.

use crate::prometheus::Prometheus;
use crate::query::{self, Query};
use crate::stack::{Collector, Configuration, binary};
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use std::time::{Duration, Instant};

/// Maximum duration until every panel has data: two evaluations of the rules.
const SOON: Duration = Duration::from_secs(180);

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn the_panels_about_models_show_a_run_of_the_assistant() {
    let backends = Receiver::counting();
    let configuration = Configuration::copied(&[]);
    let collector = Collector::start(&backends, configuration.port());
    let prometheus = configuration.start();
    // Pushed: the run is over before a scrape.
    let mut run = Process::spawn(
        command(binary("assistant"))
            .arg("--otlp")
            // The panels about cached and reasoning tokens need the latest names too.
            .env("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai/dup")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.grpc),
    );
    let status = run.exit(Duration::from_secs(60));
    assert!(status.success(), "{}", run.stderr());
    let account = run.line(Duration::ZERO, "the server counted");
    assert_eq!(account, "the server counted 6 calls, 1 failed, 1580 tokens in, 131 out");

    assert_all_have_data(&prometheus);
    agrees_with_the_server(&prometheus);
    collector.process.assert_no_warnings("the Collector");
    prometheus.process.assert_no_warnings("Prometheus");
}

/// Queries the panels of both dashboards until each has returned finite values.
fn assert_all_have_data(prometheus: &Prometheus) {
    let queries = query::all();
    let start = Instant::now();
    for cost in ["0", "0.5"] {
        let mut open: Vec<&Query> = queries
            .iter()
            .filter(|query| ["LLM", "Cost Tracking"].contains(&&*query.dashboard))
            .filter(|query| !query.is_empty_by_design(cost))
            .collect();
        assert!(open.len() > 30, "only {} queries", open.len());
        while !open.is_empty() {
            open.retain(|query| {
                let answer = query.run_of("assistant", prometheus, cost);
                let values: Vec<f64> = answer.series.values().flatten().copied().collect();
                let is_finite = values.iter().all(|value| value.is_finite());
                assert!(is_finite, "{}: {values:?}", query.name());
                values.is_empty()
            });
            let late: Vec<String> = open.iter().map(|query| query.name()).collect();
            assert!(start.elapsed() < SOON, "no data from: {}", late.join("; "));
            if !open.is_empty() {
                std::thread::sleep(Duration::from_secs(2));
            }
        }
    }
    eprintln!("every panel about models has data after {:?}", start.elapsed());
}

/// Compares the sums of the panels' series with what the scripted server counted.
fn agrees_with_the_server(prometheus: &Prometheus) {
    for (series, expected) in [
        ("gen_ai:calls:increase1m{SERVICE}", 6.0),
        ("gen_ai:calls:increase1m{SERVICE, error_type=\"rate_limited\"}", 1.0),
        ("agent:tokens:increase1m{SERVICE, type=\"input\"}", 1_580.0),
        ("agent:tokens:increase1m{SERVICE, type=\"output\"}", 131.0),
        ("gen_ai:cache_read_tokens:increase1m{SERVICE}", 960.0),
        ("gen_ai:tools:increase1m{SERVICE}", 4.0),
        ("agent:cost:increase1m{SERVICE}", 0.000_243_6),
    ] {
        let series = series.replace("SERVICE", "service_name=\"assistant\"");
        let sum = format!("sum(sum_over_time({series}[1h]))");
        let actual = prometheus.instant(&sum).only();
        let differs = actual.is_none_or(|actual| (actual - expected).abs() > expected / 1e6);
        assert!(!differs, "{sum} is {actual:?}, not {expected}");
    }
}
