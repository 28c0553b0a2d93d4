//! Percentiles of runs in the panel, compared with the durations in the service's database: of
//! classic buckets, and of exponential histograms.

use crate::api::{Api, text};
use crate::load;
use crate::prometheus::Prometheus;
use crate::query;
use crate::stack::{Collector, Configuration, Orchestrator, Way};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{poll, ports};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(300);
const RUNS: u32 = 40;

/// Returns the milliseconds of the day of a time stamp.
fn milliseconds(time: &Value) -> f64 {
    let text = text(time);
    let clock = text.split_once('T').expect("a time").1.trim_end_matches('Z');
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
        * 1000.0
}

/// Percentiles, and the ranks of the runs that have them: so many of 40 are not longer.
const RANKS: [(f64, usize); 3] = [(0.5, 20), (0.95, 38), (0.99, 40)];

/// A stack with the runs of a workflow whose durations differ.
struct Measured {
    prometheus: Prometheus,
    /// Durations in the service's database, ascending.
    durations: Vec<f64>,
}

/// Runs a workflow and waits until `recorded` counts all of its runs.
fn measure(settings: &[(&str, &str)], recorded: &str) -> Measured {
    let backends = Receiver::counting();
    let configuration = Configuration::copied(&[]);
    let collector = Collector::start(&backends, configuration.port());
    let prometheus = configuration.start();
    let orchestrator = Orchestrator::start(&collector.grpc, Way::Pushed, ports::free(), settings);
    let api = Api::new(&orchestrator.url);
    load::prepare(&api);
    for run in 0..RUNS {
        // Seconds, beside which a write of the database on a busy machine is short.
        let context = json!({"latency_ms": 4_000 + 100 * run, "reason": ""});
        poll::until(SOON, || api.trigger("load-slow", "manual", &context).0 == 202);
    }
    poll::until(SOON, || api.by_status(&["load-slow"]).get("SUCCESS") == Some(&f64::from(RUNS)));
    poll::until(SOON, || prometheus.instant(recorded).only() == Some(f64::from(RUNS)));
    let mut durations: Vec<f64> = api
        .runs("load-slow")
        .iter()
        .map(|run| {
            let day = 86_400_000.0;
            (milliseconds(&run["finishedAt"]) - milliseconds(&run["startedAt"])).rem_euclid(day)
        })
        .collect();
    durations.sort_by(f64::total_cmp);
    Measured { prometheus, durations }
}

/// Asserts that a percentile is within a tenth of the duration of its run.
fn within_a_tenth(name: &str, (quantile, rank): (f64, usize), shown: f64, durations: &[f64]) {
    let truth = durations[rank - 1];
    eprintln!("{name}: p{} of the ledger {truth} ms, shown {shown:.0} ms", quantile * 100.0);
    assert!((shown / truth - 1.0).abs() < 0.1, "{shown} ms, and {truth} ms in the database");
}

/// Runs of the workflow that the rules counted.
const COUNTED: &str =
    r#"sum(sum_over_time(workflow:runs:increase1m{workflow_id="load-slow"}[1h]))"#;

/// Asserts that the panel shows the percentiles of the runs within a tenth.
fn assert_panel(name: &str, Measured { prometheus, durations }: &Measured) {
    let queries = query::all();
    for (letter, rank) in ["A", "B", "C"].into_iter().zip(RANKS) {
        let panel = format!("/ Duration p50, p95, p99 by workflow / {letter}");
        let panel = queries.iter().find(|query| query.name().ends_with(&panel)).expect("the panel");
        let shown = panel.run_by_hour(prometheus).last()["workflow_id=load-slow"];
        within_a_tenth(name, rank, shown, durations);
    }
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn the_panel_shows_the_percentiles_of_the_runs_within_a_tenth() {
    assert_panel("classic buckets", &measure(&[], COUNTED));
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn the_panel_the_alert_and_the_objective_read_exponential_histograms() {
    let aggregation = [(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "base2_exponential_bucket_histogram",
    )];
    let measured = measure(&aggregation, COUNTED);
    let Measured { prometheus, durations } = &measured;
    let classic = prometheus.instant("workflow_duration_milliseconds_bucket");
    assert!(classic.series.is_empty(), "the histograms are exponential");
    assert_panel("exponential", &measured);
    // The value of HighWorkflowDuration.
    let p95 = r#"workflow:duration_milliseconds:p95_30m{workflow_id="load-slow"}"#;
    let p95 = poll::until(SOON, || prometheus.instant(p95).only());
    within_a_tenth("HighWorkflowDuration", RANKS[1], p95, durations);
    // All runs are valid, and each took less than two minutes.
    let of = |part: &str| {
        let series = format!(r#"slo:{part}:increase1m{{slo="workflow-duration"}}"#);
        prometheus.instant(&format!("sum(sum_over_time({series}[1h]))")).only()
    };
    poll::until(SOON, || of("valid") >= Some(f64::from(RUNS)));
    assert_eq!(of("bad"), Some(0.0));
    // Requests are counted from the histogram of their durations.
    let requests = r#"sum(sum_over_time(http_server:requests:increase1m[1h])) > 0"#;
    poll::until(SOON, || prometheus.instant(requests).only());
}
