//! Load: successes, failures, retries, time-outs, approvals, slow runs, and requests that are turned away.

use crate::api::{Api, text};
use hub_otel_tests::poll;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The workflows that are triggered.
pub(crate) const WORKFLOWS: [&str; 7] =
    ["scan-and-notify", "test-failure", "load-flaky", "load-slow", "load-down", "load-hang", "load-approval"];

/// Runs beyond this many at once are answered with 503.
pub(crate) const MAX_RUNS: &str = "6";

/// Creates the workflows that the seeds do not have.
pub(crate) fn prepare(api: &Api) {
    let node = |action: &str, more: Value| {
        let mut node = json!({"id": "work", "agent": "fault", "action": action});
        node.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        node
    };
    let retry = json!({"maxAttempts": 4, "initialDelayMs": 20, "maxDelayMs": 50});
    for (name, node) in [
        ("load-flaky", node("flaky", json!({"input": {"times": 2}, "retry": retry}))),
        ("load-slow", node("succeed", json!({"input": {"latency_ms": 3000}}))),
        (
            "load-down",
            node("fail", json!({"input": {"error_type": "unavailable"}, "retry": {"maxAttempts": 1}})),
        ),
        ("load-hang", node("hang", json!({}))),
        ("load-approval", node("succeed", json!({"requiresApproval": true}))),
    ] {
        let mut workflow = json!({"name": name, "description": "for the live test", "nodes": [node]});
        if name == "load-hang" {
            workflow["timeoutMs"] = json!(300);
        }
        api.create(&workflow);
    }
}

/// A load that goes on until it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    turned_away: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(api: &Api) -> Self {
        let (stop, turned_away) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (api, stopped, away) = (api.clone(), stop.clone(), turned_away.clone());
        let thread = std::thread::spawn(move || {
            for round in 0_u64.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                one_round(&api, round, &away);
                std::thread::sleep(Duration::from_millis(900));
            }
        });
        Self { stop, turned_away, thread: Some(thread) }
    }

    /// Stops; how many requests were answered with 503.
    pub(crate) fn stop(mut self) -> u64 {
        self.end();
        self.turned_away.load(Ordering::Relaxed)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

fn one_round(api: &Api, round: u64, turned_away: &AtomicU64) {
    let trigger = if round.is_multiple_of(3) { "schedule" } else { "manual" };
    let mut wanted = vec!["scan-and-notify", "load-flaky", "scan-and-notify"];
    match round % 6 {
        0 => wanted.push("test-failure"),
        1 => wanted.push("load-down"),
        2 => wanted.push("load-hang"),
        3 | 4 => wanted.push("load-approval"),
        // More at once than are let in.
        _ => wanted.extend(["load-slow"; 9]),
    }
    for workflow in wanted {
        // The slow ones may be turned away; of the others each kind must get its turn, or the ledger is too thin.
        while !accepted(api, workflow, trigger, turned_away) && workflow != "load-slow" {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    // Some always wait; of the others every second is turned down.
    for approval in api.approvals().into_iter().skip(2) {
        api.decide(&approval, if round.is_multiple_of(2) { "REJECTED" } else { "APPROVED" });
    }
}

fn accepted(api: &Api, workflow: &str, trigger: &str, turned_away: &AtomicU64) -> bool {
    match api.trigger(workflow, trigger) {
        202 => true,
        503 => {
            turned_away.fetch_add(1, Ordering::Relaxed);
            false
        }
        status => panic!("{workflow} is answered with {status}"),
    }
}

/// What the service's own rows say: nothing of it comes from telemetry.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ledger {
    /// Runs that ended, by status.
    pub(crate) runs: BTreeMap<String, f64>,
    /// Runs that failed or timed out, by error type.
    pub(crate) failures: BTreeMap<String, f64>,
    /// Approvals that wait.
    pub(crate) waiting: f64,
    /// Per agent: executions that failed or timed out, and all.
    pub(crate) agents: BTreeMap<String, (f64, f64)>,
    /// Attempts that were tried again.
    pub(crate) retries: f64,
}

impl Ledger {
    /// Waits until nothing is under way but what waits for an approval, then reads it.
    pub(crate) fn read(api: &Api) -> Self {
        poll::until(Duration::from_secs(60), || {
            let counts = api.by_status(&WORKFLOWS);
            !counts.contains_key("PENDING") && !counts.contains_key("RUNNING")
        });
        let mut ledger = Self::default();
        for run in WORKFLOWS.iter().flat_map(|workflow| api.runs(workflow)) {
            let status = text(&run["status"]);
            if status == "WAITING_APPROVAL" {
                ledger.waiting += 1.0;
                continue;
            }
            if matches!(status.as_str(), "FAILED" | "TIMED_OUT") {
                *ledger.failures.entry(text(&run["errorType"])).or_default() += 1.0;
            }
            *ledger.runs.entry(status).or_default() += 1.0;
            for node in run["nodes"].as_array().into_iter().flatten() {
                let agent = ledger.agents.entry(text(&node["agent"])).or_default();
                agent.1 += 1.0;
                if node["status"] != "SUCCESS" {
                    agent.0 += 1.0;
                }
                ledger.retries += node["attempts"].as_f64().unwrap_or(1.0) - 1.0;
            }
        }
        ledger
    }
}
