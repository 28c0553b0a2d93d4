//! `orchestrator run`: triggers a run, and optionally waits for its end.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::client::{Api, CallError};
use super::values;
use crate::clock::parse_duration;
use crate::terminal::{Exit, print_line, print_message};

/// Triggers a run on a running server. Prints its id on stdout.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Name of the workflow.
    pub workflow: String,
    /// Value of the run's context, as `key=value`. A JSON value keeps its type, any other value is
    /// a string.
    #[arg(long = "context", short = 'c', env = "HUB_CONTEXT", value_name = "KEY=VALUE")]
    #[arg(value_parser = values::key_value)]
    pub context: Vec<(String, Value)>,
    /// Idempotency key: a repeated request with the same key returns the same run.
    #[arg(long, env = "HUB_IDEMPOTENCY_KEY", value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Waits for the end of the run. Exit code 0 if it succeeded, 1 if it failed, 3 on a timeout.
    #[arg(long, env = "HUB_WAIT")]
    pub wait: bool,
    /// Maximum wait.
    #[arg(long, env = "HUB_TIMEOUT", default_value = "300s", value_parser = parse_duration)]
    pub timeout: Duration,
}

impl RunArgs {
    /// Executes the command.
    ///
    /// # Errors
    /// The server is unreachable or returned an error.
    pub async fn execute(self, api: &Api) -> Result<Exit, CallError> {
        let context = values::context(&self.context);
        let id = api.trigger(&self.workflow, &context, self.idempotency_key.as_deref()).await?;
        print_line(&id);
        if !self.wait {
            return Ok(Exit::Success);
        }
        let deadline = Instant::now() + self.timeout;
        let mut pause = Duration::from_millis(50);
        let mut last_status = String::new();
        loop {
            let run = api.get("/api/runs/{id}", &id).await?;
            let status = api.text(&run, "status")?;
            if status != last_status {
                print_message(&describe_status(&status, &run));
                last_status.clone_from(&status);
            }
            match status.as_str() {
                "PENDING" | "RUNNING" | "WAITING_APPROVAL" => {}
                "SUCCESS" => return Ok(Exit::Success),
                _ => return Ok(Exit::Failed),
            }
            if Instant::now() >= deadline {
                eprintln!(
                    "timeout after {} s; the run continues on the server",
                    self.timeout.as_secs_f64()
                );
                return Ok(Exit::TimedOut);
            }
            tokio::time::sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

fn describe_status(status: &str, run: &Value) -> String {
    match (status, run["error"].as_str()) {
        ("WAITING_APPROVAL", _) => {
            format!(
                "{status}: `orchestrator approvals list` shows the approval, `approvals approve ID` continues the run"
            )
        }
        (_, Some(error)) => format!("{status}: {error}"),
        _ => status.to_owned(),
    }
}
