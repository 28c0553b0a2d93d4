//! Expected values of the panels, computed from the service's database and not from telemetry.

use crate::api::{Api, text};
use crate::load::WORKFLOWS;
use hub_otel_tests::poll;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ledger {
    /// Number of stored runs.
    pub(crate) stored: u64,
    /// Runs that ended, by status.
    pub(crate) runs: BTreeMap<String, f64>,
    /// Runs that failed or timed out, by error type.
    pub(crate) failures: BTreeMap<String, f64>,
    /// Pending approvals.
    pub(crate) waiting: f64,
    /// Per agent: executions that failed or timed out, and executions that were not cancelled.
    pub(crate) agents: BTreeMap<String, (f64, f64)>,
    /// Retried attempts, by the reason set in the context of the run.
    pub(crate) retries: BTreeMap<String, f64>,
}

impl Ledger {
    /// Waits until no run is pending or running, except for approvals, then reads the runs.
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
            let retries = node["attempts"].as_f64().unwrap_or(1.0) - 1.0;
            if retries > 0.0 {
                *self.retries.entry(text(&run["contextJson"]["reason"])).or_default() += retries;
            }
        }
    }
}
