//! Workflows: immutable graphs of nodes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A graph of nodes. Its name is its id, part of URLs, and a metric label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workflow {
    /// Name, a slug: `[a-z][a-z0-9-]*`, at most 64 characters.
    #[schema(
        pattern = "^[a-z][a-z0-9-]*$",
        min_length = 1,
        max_length = 64,
        example = "scan-and-notify"
    )]
    pub name: String,
    /// Description of the workflow.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub description: String,
    /// The nodes, in any order. `dependsOn` determines the order of execution.
    #[schema(min_items = 1, max_items = 100)]
    pub nodes: Vec<Node>,
    /// Maximum executed time of a run, without waits for approvals. Defaults to 30 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400_000_i64)]
    pub timeout_ms: Option<u64>,
}

/// One call of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// Id, unique in the workflow: `[a-z][a-z0-9_]*`. Templates read `nodes.<id>.output`.
    #[schema(pattern = "^[a-z][a-z0-9_]*$", min_length = 1, max_length = 64, example = "scan")]
    pub id: String,
    /// Id of the agent.
    #[schema(example = "scanner")]
    pub agent: String,
    /// Action of the agent.
    #[schema(example = "scan")]
    pub action: String,
    /// Input of the action. Each string is a template over the run's context and
    /// `nodes.<id>.output`.
    #[serde(default)]
    pub input: Value,
    /// Nodes that must have succeeded before this one.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub depends_on: Vec<String>,
    /// Requires an approval, independent of the agent's risk level.
    #[serde(default)]
    pub requires_approval: bool,
    /// Retries of retryable errors.
    #[serde(default)]
    pub retry: Retry,
    /// Maximum duration of the node, including attempts and pauses. Defaults to 5 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400_000_i64)]
    pub timeout_ms: Option<u64>,
}

/// Exponential backoff with jitter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retry {
    /// Maximum number of attempts, including the first. 1 means no retry.
    #[schema(minimum = 1, maximum = 20)]
    pub max_attempts: u32,
    /// First pause.
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub initial_delay_ms: u64,
    /// Maximum pause.
    #[schema(minimum = 0, maximum = 3_600_000)]
    pub max_delay_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 3, initial_delay_ms: 200, max_delay_ms: 10_000 }
    }
}

impl Workflow {
    /// Maximum executed time of a run.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(30 * 60 * 1000))
    }

    /// Returns the node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl Node {
    /// Maximum duration of the node.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(300_000))
    }
}
