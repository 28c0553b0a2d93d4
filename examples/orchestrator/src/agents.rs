//! What does the work: an agent has an id, actions, a risk level each, and answers a JSON value or an error.
//!
//! An agent knows nothing of runs, stores or telemetry; the engine hands it an [`AgentContext`] and wraps the call in
//! `agent.execute`.

pub mod fault;
mod input;
pub mod notifier;
pub mod patcher;
pub mod scanner;
mod standard;

pub use standard::{Settings, standard};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One call of an agent.
#[derive(Debug, Clone)]
pub struct AgentContext {
    /// Which of the agent's actions.
    pub action: String,
    /// The node's input, templates already rendered.
    pub input: Value,
    /// `<run>/<node>`: the same for every attempt, also after a crash. An agent with side effects hands it on.
    pub idempotency_key: String,
    /// The run that asks.
    pub run_id: String,
    /// Its workflow.
    pub workflow: String,
    /// The node of the workflow.
    pub node: String,
    /// 1 for the first attempt of this process.
    pub attempt: u32,
}

/// Why an agent did not do it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct AgentError {
    /// A stable identifier (`timeout`, `http_429`, …): the label `error_type`, never a message.
    pub kind: &'static str,
    /// May another attempt go better?
    pub retryable: bool,
    /// For people.
    pub message: String,
    /// The other side asked for this much patience (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl AgentError {
    /// Another attempt would end the same way.
    pub fn permanent(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, retryable: false, message: message.into(), retry_after: None }
    }

    /// Another attempt may go better.
    pub fn retryable(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, retryable: true, message: message.into(), retry_after: None }
    }

    /// Not before this much time has passed.
    #[must_use]
    pub fn after(mut self, patience: Duration) -> Self {
        self.retry_after = Some(patience);
        self
    }
}

/// Whether a human has to say yes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RiskLevel {
    /// Reads, or writes what is easily undone.
    Automatic,
    /// Changes what others depend on.
    ApprovalRequired,
}

/// Something that can be asked to act.
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// The actions that it knows; a workflow that names another is not accepted.
    fn actions(&self) -> &'static [&'static str];

    /// What an action may do to the world.
    fn risk(&self, _action: &str) -> RiskLevel {
        RiskLevel::Automatic
    }

    /// Acts. Dropped when the run is cancelled or out of time: work that must not be torn goes into a task of its own.
    async fn execute(&self, context: AgentContext) -> Result<Value, AgentError>;
}

/// The agents of a process by id.
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
    /// No agent yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one under an id (a slug: it is a metric label). The same agent may stand under several ids.
    #[must_use]
    pub fn with(mut self, id: &str, agent: Arc<dyn Agent>) -> Self {
        self.agents.insert(id.to_owned(), agent);
        self
    }

    /// The agent of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Agent>> {
        self.agents.get(id)
    }

    /// Every id with its agent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Agent>)> {
        self.agents.iter().map(|(id, agent)| (id.as_str(), agent))
    }

    /// The nearest to listing the choices in an error.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.agents.keys().cloned().collect()
    }
}
