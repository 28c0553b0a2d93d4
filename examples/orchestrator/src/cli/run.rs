//! `orchestrator run`: asks for a run, and waits for it when told to.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::client::{Api, CallError};
use super::serve::duration;
use super::{Exit, out, values};

/// Asks a running server for a run. Its id goes to stdout.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The workflow's name.
    pub workflow: String,
    /// A value of the run's context, as `key=value`; JSON keeps its type, anything else is a text.
    #[arg(long = "context", short = 'c', env = "HUB_CONTEXT", value_name = "KEY=VALUE")]
    #[arg(value_parser = values::key_value)]
    pub context: Vec<(String, Value)>,
    /// Asking twice with the same key is asking once.
    #[arg(long, env = "HUB_IDEMPOTENCY_KEY", value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Waits until the run has ended: exit 0 when it succeeded, 1 when it did not, 3 when the time was up first.
    #[arg(long, env = "HUB_WAIT")]
    pub wait: bool,
    /// How long to wait.
    #[arg(long, env = "HUB_TIMEOUT", default_value = "300s", value_parser = duration)]
    pub timeout: Duration,
}

impl RunArgs {
    /// Asks, and waits.
    ///
    /// # Errors
    /// When the server does not answer, or says no.
    pub async fn execute(self, api: &Api) -> Result<Exit, CallError> {
        let context = values::context(&self.context);
        let id = api.trigger(&self.workflow, &context, self.idempotency_key.as_deref()).await?;
        out::line(&id);
        if !self.wait {
            return Ok(Exit::Success);
        }
        let deadline = Instant::now() + self.timeout;
        let mut pause = Duration::from_millis(50);
        let mut said = String::new();
        loop {
            let run = api.get("/api/runs/{id}", &id).await?;
            let status = api.text(&run, "status")?;
            if status != said {
                eprintln!("{}", line(&status, &run));
                said.clone_from(&status);
            }
            match status.as_str() {
                "PENDING" | "RUNNING" | "WAITING_APPROVAL" => {}
                "SUCCESS" => return Ok(Exit::Success),
                _ => return Ok(Exit::Failed),
            }
            if Instant::now() >= deadline {
                eprintln!("not over after {} s; the run goes on", self.timeout.as_secs_f64());
                return Ok(Exit::TimedOut);
            }
            tokio::time::sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

fn line(status: &str, run: &Value) -> String {
    match (status, run["error"].as_str()) {
        ("WAITING_APPROVAL", _) => {
            format!(
                "{status}: `orchestrator approvals list` shows what is asked, `approvals approve ID` goes on"
            )
        }
        (_, Some(error)) => format!("{status}: {error}"),
        _ => status.to_owned(),
    }
}
