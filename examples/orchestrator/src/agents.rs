//! Agents: an agent has an id, actions with a risk level, and returns a JSON value or an error.
//!
//! Agents are independent of runs, stores and telemetry. The engine passes an [`AgentContext`] and
//! records the call as `agent.execute`.

pub mod builtin;
pub mod fault;
mod input;
pub mod notifier;
pub mod patcher;
pub mod scanner;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One call of an agent.
#[derive(Debug, Clone)]
pub struct AgentContext {
    /// The action.
    pub action: String,
    /// Input of the node, with rendered templates.
    pub input: Value,
    /// `<run>/<node>`: the same for every attempt, also after a crash. Agents with side effects
    /// pass it on.
    pub idempotency_key: String,
    /// Id of the run.
    pub run_id: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Id of the node.
    pub node: String,
    /// Number of the attempt in this process, from 1.
    pub attempt: u32,
}

/// Failure of an agent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct AgentError {
    /// Stable identifier (`timeout`, `http_429`, …), the label `error_type`. Not a message.
    pub kind: &'static str,
    /// Another attempt can succeed.
    pub retryable: bool,
    /// Description of the failure.
    pub message: String,
    /// Minimum time until the next attempt (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl AgentError {
    /// A failure that a retry cannot fix.
    pub fn permanent(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, retryable: false, message: message.into(), retry_after: None }
    }

    /// A failure that a retry can fix.
    pub fn retryable(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, retryable: true, message: message.into(), retry_after: None }
    }

    /// Sets the minimum time until the next attempt.
    #[must_use]
    pub fn after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

/// Risk of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RiskLevel {
    /// Reads, or changes that are easy to undo. Needs no approval.
    Automatic,
    /// Changes that others depend on. Needs an approval.
    ApprovalRequired,
}

/// An agent.
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// The actions of the agent. A workflow with another action is invalid.
    fn actions(&self) -> &'static [&'static str];

    /// Risk of an action.
    fn risk(&self, _action: &str) -> RiskLevel {
        RiskLevel::Automatic
    }

    /// Executes an action. The future is dropped if the run is cancelled or times out: work that
    /// must complete belongs in a task of its own.
    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError>;
}

/// Agents by id.
#[derive(Clone, Default)]
pub struct Registry {
    agents: BTreeMap<String, Arc<dyn Agent>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.agents.keys()).finish()
    }
}

impl Registry {
    /// Creates an empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an agent under an id, a slug because it is a metric label. An agent can have several
    /// ids.
    #[must_use]
    pub fn with(mut self, id: &str, agent: Arc<dyn Agent>) -> Self {
        self.agents.insert(id.to_owned(), agent);
        self
    }

    /// Returns the agent with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Agent>> {
        self.agents.get(id)
    }

    /// Iterates over ids and agents.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Agent>)> {
        self.agents.iter().map(|(id, agent)| (id.as_str(), agent))
    }

    /// The ids, for error messages.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.agents.keys().cloned().collect()
    }
}
