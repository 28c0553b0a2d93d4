//! Requests at the same time: each run is launched once and its end is counted once.

use crate::server::{Home, Server, TIMEOUT, fault};
use hub_otel_tests::poll;
use serde_json::{Value, json};
use std::sync::Barrier;

on_both_databases!(
    two_approvals_at_once_launch_the_run_once,
    a_shutdown_waits_for_a_run_that_two_approvals_continued,
    a_run_that_two_approvals_continued_is_cancelled_at_once,
    a_completion_and_cancellations_at_the_same_time_are_one_end,
    the_limit_of_runs_holds_for_triggers_at_the_same_time,
    retries_of_a_run_at_the_same_time_are_one_run,
);

/// Calls the functions at the same time.
fn together<T: Send>(calls: Vec<Box<dyn FnOnce() -> T + Send + '_>>) -> Vec<T> {
    let barrier = Barrier::new(calls.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = calls
            .into_iter()
            .map(|call| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    call()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn two_approvals(latency_ms: u64) -> Value {
    let mut nodes = json!([
        fault("a", "succeed", &[], json!({"latency_ms": latency_ms})),
        fault("b", "succeed", &[], json!({"latency_ms": latency_ms})),
        fault("c", "succeed", &["a", "b"], json!({})),
    ]);
    nodes[0]["requiresApproval"] = json!(true);
    nodes[1]["requiresApproval"] = json!(true);
    nodes
}

/// Triggers a run and approves its two nodes at the same time.
fn approve_both(server: &Server) -> String {
    let run = server.trigger("two", json!({}));
    server.reaches(&run, "WAITING_APPROVAL");
    let page = server.get("/api/approvals?decision=PENDING");
    let approvals = page["approvals"].as_array().unwrap().iter();
    let ids: Vec<_> = approvals
        .filter(|approval| approval["runId"] == run.as_str())
        .map(|approval| approval["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    let approve = |id: String| -> Box<dyn FnOnce() -> u16 + Send + '_> {
        Box::new(move || {
            let decision = json!({"decision": "APPROVED", "respondedBy": "ada"});
            server.post(&format!("/api/approvals/{id}/decision"), &decision).status
        })
    };
    assert_eq!(together(ids.into_iter().map(approve).collect()), [200, 200]);
    run
}

fn ends(server: &Server, status: &str) -> f64 {
    server.metric("workflow_runs_total", &[("workflow_id", "two"), ("status", status)])
}

fn two_approvals_at_once_launch_the_run_once(home: Home) {
    let server = home.serve(None, &[]);
    server.create("two", two_approvals(20));
    for _ in 0..12 {
        let run = approve_both(&server);
        server.reaches(&run, "SUCCESS");
    }
    poll::until(TIMEOUT, || server.metric("workflows_active", &[]) == 0.0);
    poll::until(TIMEOUT, || server.get("/health")["activeRuns"] == 0);
    assert_eq!(ends(&server, "SUCCESS"), 12.0);
    assert_eq!(server.metric("workflow_runs_total", &[]), 12.0);
    server.stop();
}

fn a_shutdown_waits_for_a_run_that_two_approvals_continued(home: Home) {
    for _ in 0..3 {
        let server = home.serve(None, &[]);
        server.create("two", two_approvals(700));
        let run = approve_both(&server);
        server.reaches(&run, "RUNNING");
        assert_eq!(server.get("/health")["activeRuns"], 1);
        server.stop();
        let server = home.serve(None, &[]);
        let ended = server.run(&run);
        assert_eq!((&ended["status"], &ended["crashes"]), (&json!("SUCCESS"), &json!(0)));
        server.stop();
    }
}

fn a_run_that_two_approvals_continued_is_cancelled_at_once(home: Home) {
    let server = home.serve(None, &[]);
    server.create("two", two_approvals(60_000));
    for round in 1..=3 {
        let run = approve_both(&server);
        server.reaches(&run, "RUNNING");
        let cancelled = server.post(&format!("/api/runs/{run}/cancel"), &json!({}));
        assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("CANCELLED")));
        poll::until(TIMEOUT, || server.metric("workflows_active", &[]) == 0.0);
        poll::until(TIMEOUT, || ends(&server, "CANCELLED") == f64::from(round));
        assert_eq!(server.metric("workflow_runs_total", &[]), f64::from(round));
    }
    server.stop();
}

fn a_completion_and_cancellations_at_the_same_time_are_one_end(home: Home) {
    let server = home.serve(None, &[]);
    server.create("two", json!([fault("a", "succeed", &[], json!({"latency_ms": 5}))]));
    let rounds = 25;
    for _ in 0..rounds {
        let run = server.trigger("two", json!({}));
        let cancel = || -> Box<dyn FnOnce() -> u16 + Send + '_> {
            let (server, path) = (&server, format!("/api/runs/{run}/cancel"));
            Box::new(move || server.post(&path, &json!({})).status)
        };
        let replies = together(vec![cancel(), cancel()]);
        let ended = server.ended(&run);
        let won = replies.iter().filter(|status| **status == 200).count();
        assert_eq!(won, usize::from(ended["status"] == "CANCELLED"), "{replies:?} {ended:#}");
    }
    poll::until(TIMEOUT, || server.metric("workflows_active", &[]) == 0.0);
    let (success, cancelled) = (ends(&server, "SUCCESS"), ends(&server, "CANCELLED"));
    let rows = |status: &str| {
        let page = server.get(&format!("/api/workflows/two/runs?limit=100&status={status}"));
        page["runs"].as_array().unwrap().len()
    };
    assert_eq!((rows("SUCCESS"), rows("CANCELLED")), (success as usize, cancelled as usize));
    assert_eq!(success + cancelled, f64::from(rounds));
    server.stop();
}

fn the_limit_of_runs_holds_for_triggers_at_the_same_time(home: Home) {
    let server = home.serve(None, &["--max-runs", "5"]);
    server.create("hold", json!([fault("a", "hang", &[], json!({}))]));
    let trigger = |_| -> Box<dyn FnOnce() -> u16 + Send + '_> {
        Box::new(|| server.post("/api/workflows/hold/trigger", &json!({})).status)
    };
    let replies = together((0..40).map(trigger).collect());
    let count = |status: u16| replies.iter().filter(|reply| **reply == status).count();
    assert_eq!((count(202), count(503)), (5, 35));
    poll::until(TIMEOUT, || server.get("/health")["activeRuns"] == 5);
    let runs = server.get("/api/workflows/hold/runs");
    assert_eq!(runs["runs"].as_array().unwrap().len(), 5);
    server.kill();
}

fn retries_of_a_run_at_the_same_time_are_one_run(home: Home) {
    let server = home.serve(None, &[]);
    let run = server.trigger("test-failure", json!({}));
    server.reaches(&run, "FAILED");
    let retry = |_| -> Box<dyn FnOnce() -> Value + Send + '_> {
        let path = format!("/api/runs/{run}/retry");
        let server = &server;
        Box::new(move || server.post(&path, &json!({})).json()["workflowRunId"].clone())
    };
    let runs = together((0..4).map(retry).collect());
    assert!(runs.iter().all(|run| *run == runs[0] && run.is_string()), "{runs:?}");
    let listed = server.get("/api/workflows/test-failure/runs");
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2);
    server.stop();
}
