//! A process whose clock differs from that of the database and of the other process.

use crate::server::{Home, Server, TIMEOUT, fault, with_approval};
use hub_otel_tests::http::{self, Method};
use hub_otel_tests::process::Process;
use hub_otel_tests::{faketime, poll};
use orchestrator::clock::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

on_several_machines!(
    a_clock_that_is_ahead_changes_no_owner_and_no_time,
    a_clock_that_is_behind_changes_no_owner_and_no_time,
);

fn a_clock_that_is_ahead_changes_no_owner_and_no_time(home: Home) {
    clocks_differ(&home, "+90s", 90);
}

fn a_clock_that_is_behind_changes_no_owner_and_no_time(home: Home) {
    clocks_differ(&home, "-90s", -90);
}

/// Much less than the difference of the clocks.
const TOLERANCE: Duration = Duration::from_secs(30);

/// A lease, a time for decisions and a retention time that the difference of the clocks exceeds.
const LIMITS: [&str; 6] = ["--lease", "2s", "--approval-timeout", "60s", "--retention", "60s"];

/// Starts a server whose clock differs. `None` without libfaketime.
fn serve_at(home: &Home, difference: &str) -> Option<Server> {
    let mut serve = home.command(&LIMITS);
    serve.env("OTEL_TRACES_EXPORTER", "none").env("OTEL_LOGS_EXPORTER", "none");
    let serve = faketime::set_clock(&mut serve, difference)?;
    Some(Server::start(Process::spawn(serve)))
}

/// By how many seconds the clock of a server is ahead of this process.
fn ahead(server: &Server) -> i64 {
    let reply = http::get(format!("{}/health", server.url));
    let date = jiff::fmt::rfc2822::parse(reply.header("date").unwrap()).unwrap();
    date.timestamp().as_second() - jiff::Timestamp::now().as_second()
}

fn near(value: &Value, first: Timestamp, last: Timestamp) -> bool {
    let time = Timestamp::parse(value.as_str().unwrap()).unwrap();
    first.before(TOLERANCE) <= time && time <= last.after(TOLERANCE)
}

fn clocks_differ(home: &Home, difference: &str, seconds: i64) {
    let begun = Timestamp::now();
    let right = home.serve(None, &LIMITS);
    let Some(wrong) = serve_at(home, difference) else { return };
    assert!((ahead(&wrong) - seconds).abs() <= 5 && ahead(&right).abs() <= 5);
    // Several leases long.
    let wait = |id: &str, after: &[&str]| fault(id, "succeed", after, json!({"latency_ms": 1500}));
    right.create("slow", json!([wait("a", &[]), wait("b", &["a"]), wait("c", &["b"])]));
    let gated = with_approval(fault("gated", "succeed", &[], json!({})));
    right.create("gated", json!([gated]));
    let servers = [&right, &wrong];
    let trigger = |workflow| servers.map(|server| server.trigger(workflow, json!({})));
    let waiting = trigger("gated");
    waiting.iter().for_each(|run| drop(right.reaches(run, "WAITING_APPROVAL")));
    let slow = [trigger("slow"), trigger("slow"), trigger("slow")].concat();
    for run in &slow {
        let run = wrong.reaches(run, "SUCCESS");
        assert_eq!(run["crashes"], 0, "a healthy process was taken over: {run:#}");
        let last = Timestamp::now();
        for key in ["createdAt", "startedAt", "finishedAt"] {
            assert!(near(&run[key], begun, last), "{key} is by another clock: {run:#}");
        }
        for node in run["nodes"].as_array().unwrap() {
            for key in ["startedAt", "finishedAt"] {
                assert!(near(&node[key], begun, last), "{key} is by another clock: {run:#}");
            }
        }
    }
    // Each process deletes ended runs and expires approvals meanwhile.
    for server in servers {
        for run in &slow {
            assert_eq!(server.run(run)["status"], "SUCCESS");
        }
        let page = server.get("/api/approvals?decision=PENDING");
        let approvals = page["approvals"].as_array().unwrap();
        assert_eq!(approvals.len(), 2, "{page:#}");
        for approval in approvals {
            let last = Timestamp::now();
            assert!(near(&approval["requestedAt"], begun, last), "{approval:#}");
            let expires = Duration::from_secs(60);
            assert!(
                near(&approval["expiresAt"], begun.after(expires), last.after(expires)),
                "{approval:#}"
            );
        }
    }
    let page = right.get("/api/approvals?decision=PENDING");
    for (approval, server) in page["approvals"].as_array().unwrap().iter().zip(servers) {
        let path = format!("/api/approvals/{}/decision", approval["id"].as_str().unwrap());
        let decision = json!({"decision": "APPROVED", "respondedBy": "ada"}).to_string();
        assert_eq!(server.send(Method::POST, &path, &[], &decision).status, 200);
    }
    waiting.iter().for_each(|run| drop(right.reaches(run, "SUCCESS")));
    let sum = |name: &str, workflow: &str| -> f64 {
        servers.map(|server| server.metric(name, &[("workflow_id", workflow)])).iter().sum()
    };
    poll::until(TIMEOUT, || {
        sum("workflow_runs_total", "slow") == 6.0 && sum("workflow_runs_total", "gated") == 2.0
    });
    // Durations are differences of two times of one clock.
    let bound = TOLERANCE.as_secs_f64() * 1e3;
    for metric in ["workflow_queue_wait_time", "workflow_approval_wait_time"] {
        let waited = ["slow", "gated"].map(|name| sum(&format!("{metric}_milliseconds_sum"), name));
        assert!(waited.iter().all(|waited| (0.0..bound).contains(waited)), "{metric}: {waited:?}");
    }
    wrong.stop();
    right.stop();
}
