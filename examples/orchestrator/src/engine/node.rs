//! One node of a run: its input, its agent, its attempts, its result.

use super::{Engine, telemetry};
use crate::agents::{Agent, AgentContext, AgentError, RiskLevel};
use crate::clock::Timestamp;
use crate::domain::{Node, NodeRecord, NodeStatus, Run};
use backon::{ExponentialBuilder, Retryable};
use futures_util::FutureExt;
use hub_otel::instrument_agent;
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Does a human have to say yes first?
pub(super) fn needs_approval(engine: &Engine, node: &Node) -> bool {
    let risk = engine.agents().get(&node.agent).map(|agent| agent.risk(&node.action));
    node.requires_approval || risk == Some(RiskLevel::ApprovalRequired)
}

/// Executes a node whose input is rendered. Always comes back with a record: a panic is a failure like others.
pub(super) async fn execute(engine: &Engine, run: &Run, node: &Node, input: Value) -> NodeRecord {
    let started = Timestamp::now();
    let attempts = AtomicU32::new(0);
    let result = match engine.agents().get(&node.agent) {
        Some(agent) => {
            let call = Call { agent: Arc::clone(agent), run, node, input, attempts: &attempts };
            match AssertUnwindSafe(ask(call)).catch_unwind().await {
                Ok(result) => result,
                Err(_) => Err(AgentError::permanent(
                    "panic",
                    format!("the agent `{}` panicked", node.agent),
                )),
            }
        }
        // It was there when the workflow was stored.
        None => Err(AgentError::permanent(
            "unknown_agent",
            format!("there is no agent `{}`", node.agent),
        )),
    };
    record(node, started, attempts.into_inner(), result)
}

/// The record of a node whose input could not be rendered: no agent was asked.
pub(super) fn unrenderable(node: &Node, reason: String) -> NodeRecord {
    record(node, Timestamp::now(), 0, Err(AgentError::permanent("template", reason)))
}

fn record(
    node: &Node,
    started_at: Timestamp,
    attempts: u32,
    result: Result<Value, AgentError>,
) -> NodeRecord {
    let (status, output, error) = match result {
        Ok(output) => (NodeStatus::Success, Some(output), None),
        Err(error) if error.kind == telemetry::TIMED_OUT => {
            (NodeStatus::TimedOut, None, Some(error))
        }
        Err(error) => (NodeStatus::Failed, None, Some(error)),
    };
    NodeRecord {
        id: node.id.clone(),
        agent: node.agent.clone(),
        action: node.action.clone(),
        status,
        output,
        error_type: error.as_ref().map(|error| error.kind.to_owned()),
        error: error.map(|error| error.message),
        attempts,
        started_at,
        finished_at: Timestamp::now(),
    }
}

struct Call<'a> {
    agent: Arc<dyn Agent>,
    run: &'a Run,
    node: &'a Node,
    input: Value,
    attempts: &'a AtomicU32,
}

/// All attempts: one `agent.execute`.
#[instrument_agent(
    id = call.node.agent,
    action = call.node.action,
    run_id = format!("{}/{}", call.run.id, call.node.id),
    timeout = call.node.timeout(),
)]
async fn ask(call: Call<'_>) -> Result<Value, AgentError> {
    let key = format!("{}/{}", call.run.id, call.node.id);
    let retry = &call.node.retry;
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(retry.initial_delay_ms))
        .with_max_delay(Duration::from_millis(retry.max_delay_ms.max(retry.initial_delay_ms)))
        .with_max_times(retry.max_attempts.saturating_sub(1) as usize)
        .with_jitter();
    let attempt = || {
        let attempt = call.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        call.agent.execute(AgentContext {
            action: call.node.action.clone(),
            input: call.input.clone(),
            idempotency_key: key.clone(),
            run_id: call.run.id.clone(),
            workflow: call.run.workflow.clone(),
            node: call.node.id.clone(),
            attempt,
        })
    };
    attempt
        .retry(pauses)
        .when(|error: &AgentError| error.retryable)
        // Who asks for more patience gets it.
        .adjust(|error: &AgentError, pause| {
            pause.map(|pause| pause.max(error.retry_after.unwrap_or_default()))
        })
        .notify(|error: &AgentError, pause| telemetry::retried(error, pause))
        .await
}
