//! Execution of one node: agent, attempts, result.

use super::{Engine, telemetry};
use crate::agents::{Agent, AgentContext, AgentError, Registry, RiskLevel};
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

/// Maximum size of an output, in bytes of JSON: the templates of later nodes can read it.
const MAX_OUTPUT: usize = 256 * 1024;
/// Maximum length of an error text, in characters.
const MAX_ERROR: usize = 2_000;

/// Returns whether a node requires an approval.
pub(super) fn needs_approval(agents: &Registry, node: &Node) -> bool {
    let risk = agents.get(&node.agent).map(|agent| agent.risk(&node.action));
    node.requires_approval || risk == Some(RiskLevel::ApprovalRequired)
}

/// Executes a node with its rendered input. A panic of the agent is a failure of the node.
pub(super) async fn execute(engine: &Engine, run: &Run, node: &Node, input: Value) -> NodeRecord {
    let (agents, store) = (engine.agents(), &engine.inner.store);
    let started = store.now();
    let attempts = AtomicU32::new(0);
    let result = bounded(match agents.get(&node.agent) {
        Some(agent) => {
            let call = Call { agent: Arc::clone(agent), run, node, input, attempts: &attempts };
            match AssertUnwindSafe(call_agent(call)).catch_unwind().await {
                Ok(result) => result,
                Err(_) => Err(AgentError::permanent(
                    "panic",
                    format!("the agent `{}` panicked", node.agent),
                )),
            }
        }
        // Validated when the workflow was stored; this build may have other agents.
        None => {
            Err(AgentError::permanent("unknown_agent", format!("unknown agent `{}`", node.agent)))
        }
    });
    create_record(node, [started, store.now()], attempts.into_inner(), result)
}

/// Rejects an output that is too large, and shortens an error text.
fn bounded(result: Result<Value, AgentError>) -> Result<Value, AgentError> {
    match result {
        Ok(output) if output.to_string().len() > MAX_OUTPUT => Err(AgentError::permanent(
            "output_too_large",
            format!("the output of the agent has more than {MAX_OUTPUT} bytes of JSON"),
        )),
        Err(mut error) => {
            if let Some((end, _)) = error.message.char_indices().nth(MAX_ERROR) {
                error.message.truncate(end);
            }
            Err(error)
        }
        output => output,
    }
}

/// Creates the record of a node whose input could not be rendered.
pub(super) fn unrenderable(node: &Node, at: Timestamp, reason: String) -> NodeRecord {
    create_record(node, [at, at], 0, Err(AgentError::permanent("template", reason)))
}

fn create_record(
    node: &Node,
    [started_at, finished_at]: [Timestamp; 2],
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
        finished_at,
    }
}

struct Call<'a> {
    agent: Arc<dyn Agent>,
    run: &'a Run,
    node: &'a Node,
    input: Value,
    attempts: &'a AtomicU32,
}

/// Calls the agent with retries. All attempts are one `agent.execute` span.
#[instrument_agent(
    id = call.node.agent,
    action = call.node.action,
    run_id = format!("{}/{}", call.run.id, call.node.id),
    timeout = call.node.timeout(),
)]
async fn call_agent(call: Call<'_>) -> Result<Value, AgentError> {
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
        // Respects a longer `Retry-After`.
        .adjust(|error: &AgentError, pause| {
            pause.map(|pause| pause.max(error.retry_after.unwrap_or_default()))
        })
        .notify(|error: &AgentError, pause| telemetry::record_retry(error, pause))
        .await
}
