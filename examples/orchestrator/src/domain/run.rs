//! Runs: durable executions of workflows, with a status that never returns from a terminal value.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Status of a run.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    sqlx::Type,
    strum::IntoStaticStr,
    utoipa::ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE", no_pg_array)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Stored, not in flight.
    Pending,
    /// In flight in a process.
    Running,
    /// Suspended until an approval is decided.
    WaitingApproval,
    /// Every node succeeded.
    Success,
    /// A node failed, or the process crashed repeatedly.
    Failed,
    /// Cancelled by a request.
    Cancelled,
    /// A timeout elapsed, or an approval expired.
    TimedOut,
    /// An approval was rejected.
    Rejected,
}

impl RunStatus {
    /// The value in the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns whether the status is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::WaitingApproval)
    }
}

/// Trigger of a run, the label `trigger_type`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    sqlx::Type,
    strum::IntoStaticStr,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case", no_pg_array)]
#[strum(serialize_all = "snake_case")]
pub enum Trigger {
    /// A request.
    Manual,
    /// A schedule.
    Schedule,
    /// An event of another system.
    Event,
    /// Retry of a failed run.
    Retry,
    /// A Grafana alert.
    GrafanaWebhook,
}

impl Trigger {
    /// The value in the store, the API and the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A run to create.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Id, a UUIDv7, ordered by time.
    pub id: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Trigger of the run.
    pub trigger: Trigger,
    /// Variables of the templates.
    pub context: Map<String, Value>,
    /// Id of the run that this one retries.
    pub retry_of: Option<String>,
    /// The client's `Idempotency-Key`, with a fingerprint of the request.
    pub idempotency: Option<(String, String)>,
    /// Trace id of the request.
    pub trace_id: Option<String>,
}

impl NewRun {
    /// Creates a run with a new id.
    #[must_use]
    pub fn new(workflow: &str, trigger: Trigger, context: Map<String, Value>) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            workflow: workflow.to_owned(),
            trigger,
            context,
            retry_of: None,
            idempotency: None,
            trace_id: None,
        }
    }
}

/// One execution of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Id, a UUIDv7.
    pub id: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Status of the run.
    pub status: RunStatus,
    /// Trigger of the run.
    pub trigger: Trigger,
    /// Variables of the templates.
    #[serde(rename = "contextJson")]
    #[sqlx(json)]
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
    /// Stable identifier of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Description of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Id of the run that this one retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    /// Trace id of the request.
    pub trace_id: Option<String>,
    /// Number of process crashes during the run.
    #[sqlx(try_from = "i64")]
    pub crashes: u32,
    /// Number of suspensions for an approval. Each ends a segment.
    #[sqlx(try_from = "i64")]
    pub waits: u32,
    /// Time executed in finished segments, waits excluded.
    #[sqlx(try_from = "i64")]
    pub executed_ms: u64,
    /// Crashes of the owner while it executed no other run.
    #[serde(skip)]
    #[sqlx(try_from = "i64")]
    pub crashes_alone: u32,
    /// Process that executes the run, or is about to.
    #[serde(skip)]
    pub owner: Option<String>,
    /// Incremented by every change of the status or the owner.
    #[serde(skip)]
    pub version: i64,
    /// Start of the segment in flight.
    #[serde(skip)]
    pub resumed_at: Option<Timestamp>,
    /// Last segment (`hub_otel::Segment` as JSON). The next segment links to it.
    #[serde(skip)]
    pub segment: Option<String>,
    /// Time of the request.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Start of the first segment.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// Time of the terminal status.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

/// The state that a change of a run compares. The change has no effect if another writer was first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    /// Id of the run.
    pub id: String,
    /// Status before the change.
    pub status: RunStatus,
    /// Version before the change.
    pub version: i64,
    /// Owner before the change.
    pub owner: Option<String>,
}

impl Run {
    /// Returns the state that a change of this run compares.
    #[must_use]
    pub fn state(&self) -> RunState {
        RunState {
            id: self.id.clone(),
            status: self.status,
            version: self.version,
            owner: self.owner.clone(),
        }
    }
}

/// Status of a finished node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[derive(sqlx::Type, strum::IntoStaticStr, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE", no_pg_array)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeStatus {
    /// The output is stored. The node is not executed again.
    Success,
    /// The last attempt failed.
    Failed,
    /// The timeout elapsed.
    TimedOut,
}

impl NodeStatus {
    /// The value in the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Result of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// Id of the node.
    #[sqlx(rename = "node_id")]
    pub id: String,
    /// Id of the agent.
    pub agent: String,
    /// Action of the agent.
    pub action: String,
    /// Status of the node.
    pub status: NodeStatus,
    /// Output of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[sqlx(json(nullable))]
    pub output: Option<Value>,
    /// Stable identifier of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Description of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Number of attempts.
    #[sqlx(try_from = "i64")]
    pub attempts: u32,
    /// Start of the last execution.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// End of the last execution.
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Timestamp,
}
