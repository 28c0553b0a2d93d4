//! Fault injection: latency, errors and panics, for load tests, dashboards and alerts.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Agent, AgentContext, AgentError, input};

/// Permitted error types, few because they are label values.
const ERROR_TYPES: [&str; 4] = ["fault_injected", "connection", "rate_limited", "unavailable"];
/// Maximum latency.
const MAX_LATENCY: Duration = Duration::from_secs(600);

/// Agent with the actions `succeed`, `fail`, `flaky` (the first `times` attempts fail), `random`
/// (fails with the probability `rate`), `hang` (until its timeout) and `panic`. Each waits
/// `latency_ms` first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fault;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultInput {
    #[serde(default, deserialize_with = "input::integer")]
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

    #[expect(clippy::panic, reason = "the purpose of the action `panic`")]
    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError> {
        let input: FaultInput = input::parse(context.input)?;
        let Some(kind) = ERROR_TYPES.into_iter().find(|kind| *kind == input.error_type) else {
            let message = format!("error_type must be one of {}", ERROR_TYPES.join(", "));
            return Err(AgentError::permanent("invalid_input", message));
        };
        tokio::time::sleep(Duration::from_millis(input.latency_ms).min(MAX_LATENCY)).await;
        let failed = |retryable| AgentError {
            retryable,
            ..AgentError::permanent(kind, format!("injected by the action `{}`", context.action))
        };
        match context.action.as_str() {
            "fail" => Err(failed(input.retryable)),
            "flaky" if context.attempt <= input.times => Err(failed(true)),
            "random" if rand::random::<f64>() < input.rate => Err(failed(input.retryable)),
            "hang" => std::future::pending().await,
            "panic" => panic!("injected panic"),
            _ => Ok(json!({ "attempts": context.attempt })),
        }
    }
}
