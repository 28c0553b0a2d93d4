//! `load` against a real server: its books, and a scrape of somebody else's in between.

use std::time::Duration;

use hub_otel::semconv::{METRICS, metric};
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use serde_json::Value;

use crate::server::{PATIENCE, Server};

#[tokio::test]
async fn fifty_runs_at_once_are_fifty_active_and_the_books_agree() {
    let server = Server::start(&[]).await;
    let report = server.folder.path().join("report.json");
    let mut client =
        server.client(&["load", "--runs", "50", "--concurrency", "50", "--hold", "3s"]);
    client.args(["--metrics", &server.metrics, "--json", report.to_str().unwrap()]);
    let mut load = Process::spawn(&mut client);
    // A scrape in between, not the command's own.
    poll::until_async(PATIENCE, async || {
        let active = server.scrape().await.sum(metric::WORKFLOWS_ACTIVE.prometheus, &[]);
        assert!(active <= 50.0, "{active} are active");
        active == 50.0
    })
    .await;
    let (status, load) =
        tokio::task::spawn_blocking(move || (load.exit(PATIENCE), load)).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", load.stderr());
    assert_eq!(load.stdout().lines().count(), 50, "an id a line");

    let scrape = server.scrape().await;
    let runs = [("workflow_id", "scan-and-notify"), ("status", "SUCCESS")];
    assert_eq!(scrape.sum(metric::WORKFLOW_RUNS.prometheus, &runs), 50.0);
    assert_eq!(scrape.sum(metric::WORKFLOWS_ACTIVE.prometheus, &[]), 0.0);
    assert_eq!(scrape.sum(metric::EXPORT_ITEMS.prometheus, &[("result", "dropped")]), 0.0);
    let combinations: usize =
        METRICS[..metric::FIXED].iter().map(|fixed| scrape.combinations(fixed.prometheus)).sum();
    assert!((8..100).contains(&combinations), "{combinations}");

    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(
        (&report["holds"], &report["peakActive"]),
        (&Value::from(true), &Value::from(50.0)),
        "{report:#}"
    );
    assert_eq!(report["statuses"]["SUCCESS"], 50);
}

#[tokio::test]
async fn runs_that_fail_are_counted_as_failed_and_the_books_still_agree() {
    let server = Server::start(&[]).await;
    let load = [
        "load",
        "--workflow",
        "test-failure",
        "--runs",
        "12",
        "--concurrency",
        "3",
        "--metrics",
        &server.metrics,
    ];
    let (code, _, stderr) = server.command(&load).await;
    assert_eq!(code, 0, "{stderr}");
    let failed = [("workflow_id", "test-failure"), ("status", "FAILED")];
    assert_eq!(server.scrape().await.sum(metric::WORKFLOW_RUNS.prometheus, &failed), 12.0);
}

#[tokio::test]
async fn load_fails_when_the_books_do_not_agree_or_the_time_is_up() {
    let server = Server::start(&[]).await;
    let other = Server::start(&[]).await;
    // The metrics of another server: what was run here was not counted there.
    let load = ["load", "--runs", "3", "--metrics", &other.metrics, "--timeout", "2s"];
    let (code, _, stderr) = server.command(&load).await;
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("FAIL counter SUCCESS = rows"), "{stderr}");
    let (code, _, stderr) = server.command(&["load", "--runs", "3", "--workflow", "none"]).await;
    assert_eq!(code, 1, "{stderr}");
    tokio::time::timeout(Duration::from_secs(1), async { drop(other) }).await.unwrap();
}
