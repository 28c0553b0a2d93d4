//! Load: successes, failures, retries, timeouts, approvals, slow runs and rejected requests.

use crate::api::{Api, text};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Workflows that the load triggers.
pub(crate) const WORKFLOWS: [&str; 7] = [
    "scan-and-notify",
    "test-failure",
    "load-flaky",
    "load-slow",
    "load-down",
    "load-hang",
    "load-approval",
];

/// Limit of concurrent runs. Further requests receive 503.
pub(crate) const MAX_RUNS: &str = "6";

/// Number of rounds after which each kind of run has been triggered several times.
pub(crate) const ROUNDS: u64 = 18;

/// Creates the workflows that are not part of the seeds.
pub(crate) fn prepare(api: &Api) {
    let node = |action: &str, more: Value| {
        let mut node = json!({"id": "work", "agent": "fault", "action": action});
        node.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        node
    };
    let retry = json!({"maxAttempts": 4, "initialDelayMs": 20, "maxDelayMs": 50});
    let flaky = json!({"times": 2, "error_type": "{{reason}}"});
    for (name, node) in [
        ("load-flaky", node("flaky", json!({"input": flaky, "retry": retry}))),
        ("load-slow", node("succeed", json!({"input": {"latency_ms": "{{latency_ms}}"}}))),
        (
            "load-down",
            node(
                "fail",
                json!({"input": {"error_type": "unavailable"}, "retry": {"maxAttempts": 1}}),
            ),
        ),
        ("load-hang", node("hang", json!({}))),
        ("load-approval", node("succeed", json!({"requiresApproval": true}))),
    ] {
        let mut workflow =
            json!({"name": name, "description": "for the live test", "nodes": [node]});
        if name == "load-hang" {
            workflow["timeoutMs"] = json!(300);
        }
        api.create(&workflow);
    }
}

/// Context of a run: duration of a slow run, and error type of the failed attempts of a flaky one.
fn context(latency_ms: u64, reason: &str) -> Value {
    json!({"repository": ".", "latency_ms": latency_ms, "reason": reason})
}

/// Starts runs that last until they are cancelled, and returns their ids.
pub(crate) fn hold(api: &Api, runs: u32) -> Vec<String> {
    // Longer than any test, and below the limit of a node of 300 s.
    let held = (0..runs).map(|_| api.trigger("load-slow", "manual", &context(290_000, "")));
    held.map(|(status, run)| {
        assert_eq!(status, 202, "{run}");
        text(&run["workflowRunId"])
    })
    .collect()
}

/// A load that runs until it is stopped.
pub(crate) struct Load {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

/// Counters of the load.
#[derive(Debug, Default)]
struct Counts {
    stop: AtomicBool,
    rounds: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
}

impl Load {
    pub(crate) fn start(api: &Api) -> Self {
        let counts = Arc::new(Counts::default());
        let (api, own) = (api.clone(), counts.clone());
        let thread = std::thread::spawn(move || {
            while !own.stop.load(Ordering::Relaxed) {
                one_round(&api, &own);
                own.rounds.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(900));
            }
        });
        Self { counts, thread: Some(thread) }
    }

    /// Returns the number of completed rounds.
    ///
    /// # Panics
    /// If the load has failed.
    pub(crate) fn rounds(&self) -> u64 {
        assert!(
            self.thread.as_ref().is_some_and(|thread| !thread.is_finished()),
            "the load has failed: see above"
        );
        self.counts.rounds.load(Ordering::Relaxed)
    }

    /// Stops the load, and returns the numbers of requests that received 202 and 503.
    pub(crate) fn stop(mut self) -> (u64, u64) {
        self.counts.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))), "the load has failed: see above");
        (self.counts.accepted.load(Ordering::Relaxed), self.counts.rejected.load(Ordering::Relaxed))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn one_round(api: &Api, counts: &Counts) {
    let round = counts.rounds.load(Ordering::Relaxed);
    let context =
        context(3000, if round.is_multiple_of(2) { "rate_limited" } else { "connection" });
    let mut wanted = vec!["scan-and-notify", "load-flaky", "scan-and-notify"];
    match round % 6 {
        0 => wanted.push("test-failure"),
        1 => wanted.push("load-down"),
        2 => wanted.push("load-hang"),
        3 | 4 => wanted.push("load-approval"),
        // More than the limit of concurrent runs.
        _ => wanted.extend(["load-slow"; 9]),
    }
    for workflow in wanted {
        // Only one workflow has two triggers, to limit the number of label combinations.
        let scheduled = workflow == "scan-and-notify" && round.is_multiple_of(3);
        let trigger = if scheduled { "schedule" } else { "manual" };
        // Slow runs may be rejected. The others are retried, so that each kind of run occurs.
        while !accepted(api, workflow, trigger, &context, counts) && workflow != "load-slow" {
            if counts.stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    // Two approvals stay pending. The others are approved or rejected in alternating rounds.
    for approval in api.approvals().into_iter().skip(2) {
        api.decide(&approval, if round.is_multiple_of(2) { "REJECTED" } else { "APPROVED" });
    }
}

fn accepted(api: &Api, workflow: &str, trigger: &str, context: &Value, counts: &Counts) -> bool {
    let (count, accepted) = match api.trigger(workflow, trigger, context).0 {
        202 => (&counts.accepted, true),
        503 => (&counts.rejected, false),
        status => panic!("{workflow}: unexpected status {status}"),
    };
    count.fetch_add(1, Ordering::Relaxed);
    accepted
}
