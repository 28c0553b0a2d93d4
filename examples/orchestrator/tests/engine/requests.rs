//! Requests to servers that are killed under load: each of them can fail.

use hub_otel_tests::http::{Method, try_send};
use serde_json::{Value, json};

pub(crate) trait Requests {
    /// Returns the URL of the server of the next request.
    fn url(&self) -> String;

    /// Returns the status and the body. `None` if the server is killed meanwhile.
    fn send(&self, method: Method, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.url());
        let reply = try_send(method, url, &[], &body.to_string()).ok()?;
        Some((reply.status, serde_json::from_str(&reply.body).unwrap_or(Value::Null)))
    }

    /// Returns the ids of the entries of a page.
    fn list(&self, path: &str, key: &str) -> Vec<String> {
        let page = self.send(Method::GET, path, &Value::Null).map(|(_, page)| page[key].clone());
        let entries = page.and_then(|page| page.as_array().cloned()).unwrap_or_default();
        entries.iter().filter_map(|entry| entry["id"].as_str().map(str::to_owned)).collect()
    }

    /// Triggers a run with a tag of its own, which its logging nodes write. Returns the id of an
    /// accepted run.
    fn trigger_run(&self, workflow: &str) -> Option<String> {
        let body = json!({"contextJson": {"tag": uuid::Uuid::now_v7().to_string()}});
        let path = format!("/api/workflows/{workflow}/trigger");
        match self.send(Method::POST, &path, &body) {
            Some((202, run)) => Some(run["workflowRunId"].as_str().unwrap().to_owned()),
            _ => None,
        }
    }

    /// Approves up to `limit` approvals.
    fn approve(&self, limit: u32) {
        let pending = format!("/api/approvals?decision=PENDING&limit={limit}");
        for id in self.list(&pending, "approvals") {
            let decision = json!({"decision": "APPROVED", "respondedBy": "ada"});
            self.send(Method::POST, &format!("/api/approvals/{id}/decision"), &decision);
        }
    }

    /// Cancels up to two runs of the workflow `slow`.
    fn cancel(&self) {
        for id in self.list("/api/workflows/slow/runs?status=RUNNING&limit=2", "runs") {
            self.send(Method::POST, &format!("/api/runs/{id}/cancel"), &json!({}));
        }
    }
}
