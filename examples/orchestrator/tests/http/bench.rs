//! The load test against a real server, with other scrapes in between.

use crate::server::{Server, TIMEOUT, run_to_end};
use hub_otel::semconv::metric;
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use hub_otel_tests::scrape::Scrape;
use serde_json::Value;
use std::time::Duration;

fn sum(scrape: &Scrape, metric: metric::Metric, labels: &[(&str, &str)]) -> f64 {
    scrape.value(metric.prometheus, labels).unwrap_or(0.0)
}

#[tokio::test]
async fn fifty_concurrent_runs_are_fifty_active_and_all_counts_agree() {
    let server = Server::start(&[]).await;
    let report = server.folder.path().join("report.json");
    let mut bench = server.bench(&["--runs", "50", "--concurrency", "50", "--hold", "3s"]);
    bench.args(["--metrics", &server.metrics, "--json", report.to_str().unwrap()]);
    let mut bench = Process::spawn(&mut bench);
    // A scrape that is not one of the load test's own.
    poll::until_async(TIMEOUT, async || {
        let active = sum(&server.scrape().await, metric::WORKFLOWS_ACTIVE, &[]);
        assert!(active <= 50.0, "{active} are active");
        active == 50.0
    })
    .await;
    let (status, bench) =
        tokio::task::spawn_blocking(move || (bench.exit(TIMEOUT), bench)).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", bench.stderr());
    assert_eq!(bench.stdout().lines().count(), 50, "one id per line");

    let scrape = server.scrape().await;
    let runs = [("workflow_id", "scan-and-notify"), ("status", "SUCCESS")];
    assert_eq!(sum(&scrape, metric::WORKFLOW_RUNS, &runs), 50.0);
    assert_eq!(sum(&scrape, metric::WORKFLOWS_ACTIVE, &[]), 0.0);
    assert_eq!(sum(&scrape, metric::EXPORT_ITEMS, &[("result", "dropped")]), 0.0);

    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let combinations = report["labelCombinations"].as_object().unwrap();
    let combinations: u64 = combinations.values().filter_map(Value::as_u64).sum();
    assert!((8..100).contains(&combinations), "{combinations}");
    assert_eq!(
        (&report["holds"], &report["maxActive"]),
        (&Value::from(true), &Value::from(50.0)),
        "{report:#}"
    );
    assert_eq!(report["statuses"]["SUCCESS"], 50);
}

#[tokio::test]
async fn failed_runs_are_counted_as_failed_and_all_counts_agree() {
    let server = Server::start(&[]).await;
    let mut bench = server.bench(&["--workflow", "test-failure", "--runs", "12"]);
    bench.args(["--concurrency", "3", "--metrics", &server.metrics]);
    let (code, _, stderr) = run_to_end(bench).await;
    assert_eq!(code, 0, "{stderr}");
    let failed = [("workflow_id", "test-failure"), ("status", "FAILED")];
    assert_eq!(sum(&server.scrape().await, metric::WORKFLOW_RUNS, &failed), 12.0);
}

#[tokio::test]
async fn the_load_test_fails_when_a_check_fails_or_the_timeout_elapses() {
    let server = Server::start(&[]).await;
    let other = Server::start(&[]).await;
    // The metrics of another server, which did not count these runs.
    let bench = server.bench(&["--runs", "3", "--metrics", &other.metrics, "--timeout", "2s"]);
    let (code, _, stderr) = run_to_end(bench).await;
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("FAIL counter SUCCESS = rows"), "{stderr}");
    let (code, _, stderr) = run_to_end(server.bench(&["--runs", "3", "--workflow", "none"])).await;
    assert_eq!(code, 1, "{stderr}");
    let (code, _, stderr) = run_to_end(server.bench(&["--runs", "0"])).await;
    assert_eq!(code, 2, "{stderr}");
    tokio::time::timeout(Duration::from_secs(1), async { drop(other) }).await.unwrap();
}
