//! The server as a child process, with a temporary folder.

use hub_otel_tests::http::{self, Reply};
use hub_otel_tests::poll;
use hub_otel_tests::process::{Process, command};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Timeout of every wait, long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) api: String,
    pub(crate) metrics: String,
}

/// Creates a folder for the database, with a repository that has a leaked token.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).unwrap();
    // Concatenated, so that scanners do not report this file.
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    std::fs::write(repository.join("settings.py"), format!("TOKEN = \"{token}\"\n")).unwrap();
    folder
}

/// Prepares the command: all files in `folder`, all ports free ones.
pub(crate) fn serve(folder: &Path, collector: &str) -> Command {
    let mut serve = command(env!("CARGO_BIN_EXE_orchestrator"));
    serve
        .args(["--bind", "127.0.0.1:0", "--db"])
        .arg(folder.join("orchestrator.db"))
        .arg("--scan-root")
        .arg(folder.join("repository"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        .env("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "100");
    serve
}

impl Server {
    /// Starts `serve` and waits until it prints its addresses.
    #[track_caller]
    pub(crate) fn start(serve: &mut Command) -> Self {
        let process = Process::spawn(serve);
        let address = |name: &str| {
            let line = process.line(TIMEOUT, name);
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let (api, metrics) = (address("  API "), address("  metrics "));
        Self { process, api, metrics }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        http::get(format!("{}{path}", self.api))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        http::post(format!("{}{path}", self.api), body)
    }

    /// Triggers a run. Returns its run id and trace id.
    #[track_caller]
    pub(crate) fn trigger(&self, workflow: &str, context: &Value) -> (String, String) {
        let body = json!({ "contextJson": context }).to_string();
        let reply = self.post(&format!("/api/workflows/{workflow}/trigger"), &body);
        assert_eq!(reply.status, 202, "{}", reply.body);
        let answer = reply.json();
        let text = |key: &str| {
            answer[key].as_str().unwrap_or_else(|| panic!("{key} in {answer}")).to_owned()
        };
        assert_eq!(text("status"), "PENDING");
        (text("workflowRunId"), text("traceId"))
    }

    /// Waits for the end of a run. Returns the run.
    #[track_caller]
    pub(crate) fn ended(&self, run: &str) -> Value {
        poll::until(TIMEOUT, || {
            let view = self.get(&format!("/api/runs/{run}")).json();
            let status = view["status"].as_str().unwrap_or_default();
            (!["PENDING", "RUNNING", "WAITING_APPROVAL"].contains(&status)).then_some(view)
        })
    }

    /// SIGTERM, and a clean end within `within`.
    #[track_caller]
    pub(crate) fn stop(mut self, within: Duration) -> String {
        self.process.terminate();
        let status = self.process.exit(within);
        assert!(status.success(), "{status}\n{}", self.process.stderr());
        self.process.stderr()
    }
}
