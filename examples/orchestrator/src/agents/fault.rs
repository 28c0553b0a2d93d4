//! Fails on purpose: latency, errors, panics, for load and for trying what the dashboards and alerts show.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Agent, AgentContext, AgentError, input};

/// What a failure may call itself: it becomes a label, so the choices are few.
const KINDS: [&str; 4] = ["fault_injected", "connection", "rate_limited", "unavailable"];
/// The longest latency that is taken.
const LONGEST: Duration = Duration::from_secs(600);

/// The agent, by action: `succeed`, `fail`, `flaky` (the first `times` attempts fail), `random` (fails with the
/// probability `rate`), `hang` (until its time is up), `panic`. Each waits `latency_ms` first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fault;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default, deserialize_with = "input::whole")]
    latency_ms: u64,
    #[serde(default = "fault_injected")]
    error_type: String,
    #[serde(default)]
    retryable: bool,
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    rate: f64,
}

fn fault_injected() -> String {
    "fault_injected".to_owned()
}

fn once() -> u32 {
    1
}

#[async_trait]
impl Agent for Fault {
    fn actions(&self) -> &'static [&'static str] {
        &["succeed", "fail", "flaky", "random", "hang", "panic"]
    }

    #[expect(clippy::panic, reason = "a panic is what the action is asked for")]
    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError> {
        let asked: Input = input::read(context.input)?;
        let Some(kind) = KINDS.into_iter().find(|kind| *kind == asked.error_type) else {
            let message = format!("error_type is one of {}", KINDS.join(", "));
            return Err(AgentError::permanent("invalid_input", message));
        };
        tokio::time::sleep(Duration::from_millis(asked.latency_ms).min(LONGEST)).await;
        let failed = |retryable| AgentError {
            retryable,
            ..AgentError::permanent(kind, format!("asked to fail by `{}`", context.action))
        };
        match context.action.as_str() {
            "fail" => Err(failed(asked.retryable)),
            "flaky" if context.attempt <= asked.times => Err(failed(true)),
            "random" if rand::random::<f64>() < asked.rate => Err(failed(asked.retryable)),
            "hang" => std::future::pending().await,
            "panic" => panic!("asked to panic"),
            _ => Ok(json!({ "attempts": context.attempt })),
        }
    }
}
