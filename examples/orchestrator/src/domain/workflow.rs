//! A workflow: a named graph of nodes, immutable once created.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A graph of nodes under a name that is its id, the word in URLs and the label in metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workflow {
    /// A slug: `[a-z][a-z0-9-]*`, at most 64 characters.
    #[schema(
        pattern = "^[a-z][a-z0-9-]*$",
        min_length = 1,
        max_length = 64,
        example = "scan-and-notify"
    )]
    pub name: String,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub description: String,
    /// What is to be done, in any order; `dependsOn` orders it.
    #[schema(min_items = 1, max_items = 100)]
    pub nodes: Vec<Node>,
    /// How long a run may execute, waits for approvals excluded. Default 30 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400_000_i64)]
    pub timeout_ms: Option<u64>,
}

/// One call of an agent's action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// Unique in the workflow: `[a-z][a-z0-9_]*`, so that templates can say `nodes.<id>.output`.
    #[schema(pattern = "^[a-z][a-z0-9_]*$", min_length = 1, max_length = 64, example = "scan")]
    pub id: String,
    /// The agent's id.
    #[schema(example = "scanner")]
    pub agent: String,
    /// What it shall do.
    #[schema(example = "scan")]
    pub action: String,
    /// The action's input; each string leaf is a template over the run's context and `nodes.<id>.output`.
    #[serde(default)]
    pub input: Value,
    /// The nodes that must have succeeded before.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub depends_on: Vec<String>,
    /// Ask a human first, whatever the agent's risk level says.
    #[serde(default)]
    pub requires_approval: bool,
    /// How often and how patiently a retryable error is answered with another attempt.
    #[serde(default)]
    pub retry: Retry,
    /// How long the node may take, attempts and pauses included. Default 5 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400_000_i64)]
    pub timeout_ms: Option<u64>,
}

/// Exponential backoff with jitter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retry {
    /// All attempts, the first included; 1 means no retry.
    #[schema(minimum = 1, maximum = 20)]
    pub max_attempts: u32,
    /// The first pause.
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub initial_delay_ms: u64,
    /// No pause is longer.
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub max_delay_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 3, initial_delay_ms: 200, max_delay_ms: 10_000 }
    }
}

impl Workflow {
    /// How long a run may execute.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(30 * 60 * 1000))
    }

    /// The node of that id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl Node {
    /// How long the node may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(300_000))
    }
}
