//! Client of the orchestrator's HTTP API.

use hub_otel_tests::http;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A client of an orchestrator.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    url: String,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Sends a request and returns the status and the body of the response.
    pub(crate) fn send(&self, method: http::Method, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("content-type", "application/json")];
        let reply =
            http::try_send(method, format!("{}{path}", self.url), &headers, &body.to_string())
                .unwrap_or_else(|error| panic!("{path}: {error}"));
        (reply.status, serde_json::from_str(&reply.body).unwrap_or_default())
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(http::Method::GET, path, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn create(&self, workflow: &Value) {
        let (status, body) = self.send(http::Method::POST, "/api/workflows", workflow);
        assert_eq!(status, 201, "{body}");
    }

    /// Triggers a run and returns the status and the body of the response.
    pub(crate) fn trigger(&self, workflow: &str, trigger: &str, context: &Value) -> (u16, Value) {
        let body = json!({"contextJson": context, "triggerType": trigger});
        self.send(http::Method::POST, &format!("/api/workflows/{workflow}/trigger"), &body)
    }

    pub(crate) fn cancel(&self, run: &str) {
        let (status, body) =
            self.send(http::Method::POST, &format!("/api/runs/{run}/cancel"), &Value::Null);
        assert_eq!(status, 200, "{body}");
    }

    /// Returns all runs of a workflow.
    pub(crate) fn runs(&self, workflow: &str) -> Vec<Value> {
        let mut runs = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/workflows/{workflow}/runs?limit=100{cursor}");
            let page = self.get(&path);
            runs.extend(page["runs"].as_array().cloned().unwrap_or_default());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        runs
    }

    /// Returns the number of runs of the workflows, by status.
    pub(crate) fn by_status(&self, workflows: &[&str]) -> BTreeMap<String, f64> {
        let mut counts = BTreeMap::new();
        for run in workflows.iter().flat_map(|workflow| self.runs(workflow)) {
            *counts.entry(text(&run["status"])).or_insert(0.0) += 1.0;
        }
        counts
    }

    /// Returns the ids of pending approvals.
    pub(crate) fn approvals(&self) -> Vec<String> {
        let page = self.get("/api/approvals?decision=PENDING&limit=100");
        let approvals = page["approvals"].as_array().cloned().unwrap_or_default();
        approvals.iter().map(|approval| text(&approval["id"])).collect()
    }

    pub(crate) fn decide(&self, approval: &str, decision: &str) {
        let body = json!({"decision": decision, "respondedBy": "live-test"});
        let (status, body) =
            self.send(http::Method::POST, &format!("/api/approvals/{approval}/decision"), &body);
        assert_eq!(status, 200, "{body}");
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
