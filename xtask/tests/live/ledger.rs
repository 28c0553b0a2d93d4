//! What the service's own rows say about the load: nothing of it comes from telemetry.

use crate::api::{Api, text};
use crate::load::WORKFLOWS;
use hub_otel_tests::poll;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ledger {
    /// Every run that was stored.
    pub(crate) stored: u64,
    /// Runs that ended, by status.
    pub(crate) runs: BTreeMap<String, f64>,
    /// Runs that failed or timed out, by error type.
    pub(crate) failures: BTreeMap<String, f64>,
    /// Approvals that wait.
    pub(crate) waiting: f64,
    /// Per agent: executions that failed or timed out, and all that were not cancelled.
    pub(crate) agents: BTreeMap<String, (f64, f64)>,
    /// Attempts that were tried again, by the reason that the run was asked to fail with.
    pub(crate) retries: BTreeMap<String, f64>,
}

impl Ledger {
    /// Waits until nothing is under way but what waits for an approval, then reads it.
    pub(crate) fn read(api: &Api) -> Self {
        poll::until(Duration::from_secs(180), || {
            let counts = api.by_status(&WORKFLOWS);
            !counts.contains_key("PENDING") && !counts.contains_key("RUNNING")
        });
        let mut ledger = Self::default();
        for workflow in WORKFLOWS {
            for run in api.runs(workflow) {
                ledger.stored += 1;
                ledger.add(&run);
            }
        }
        ledger
    }

    fn add(&mut self, run: &Value) {
        let status = text(&run["status"]);
        if status == "WAITING_APPROVAL" {
            self.waiting += 1.0;
            return;
        }
        if matches!(status.as_str(), "FAILED" | "TIMED_OUT") {
            *self.failures.entry(text(&run["errorType"])).or_default() += 1.0;
        }
        let cancelled = status == "CANCELLED";
        *self.runs.entry(status).or_default() += 1.0;
        if cancelled {
            return;
        }
        for node in run["nodes"].as_array().into_iter().flatten() {
            let agent = self.agents.entry(text(&node["agent"])).or_default();
            agent.1 += 1.0;
            if node["status"] != "SUCCESS" {
                agent.0 += 1.0;
            }
            let again = node["attempts"].as_f64().unwrap_or(1.0) - 1.0;
            if again > 0.0 {
                *self.retries.entry(text(&run["contextJson"]["reason"])).or_default() += again;
            }
        }
    }
}
