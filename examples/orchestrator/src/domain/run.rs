//! A run: one execution of a workflow, durable, with a state machine that only ever moves forward.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a run stands.
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
#[sqlx(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Stored, nobody works on it yet.
    Pending,
    /// A process works on it.
    Running,
    /// A human has to decide; no process works on it.
    WaitingApproval,
    /// Every node succeeded.
    Success,
    /// A node failed for good, or the run kept crashing.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// It took too long, or an approval expired.
    TimedOut,
    /// An approval said no.
    Rejected,
}

impl RunStatus {
    /// As stored and answered.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Does it stay for ever?
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::WaitingApproval)
    }
}

/// What started a run: the label `trigger_type`.
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
#[sqlx(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Trigger {
    /// Somebody asked.
    Manual,
    /// A clock asked.
    Schedule,
    /// Another system's event.
    Event,
    /// Another attempt at a run that ended badly.
    Retry,
    /// An alert.
    GrafanaWebhook,
}

impl Trigger {
    /// As stored, answered and labelled.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What is asked for: the store makes a [`Run`] of it.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// A UUIDv7: sorts by time.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// Who asked.
    pub trigger: Trigger,
    /// The templates' variables.
    pub context: Map<String, Value>,
    /// The run that this one repeats.
    pub retry_of: Option<String>,
    /// The client's `Idempotency-Key`, with a fingerprint of what it asked for.
    pub idempotency: Option<(String, String)>,
    /// The trace that asked, for people.
    pub trace_id: Option<String>,
}

impl NewRun {
    /// A run with a fresh id.
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

/// One execution of a workflow, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// A UUIDv7.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// Where it stands.
    pub status: RunStatus,
    /// What started it.
    pub trigger: Trigger,
    /// The templates' variables.
    #[serde(rename = "contextJson")]
    #[sqlx(json)]
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
    /// Why it failed: a stable identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    /// The trace that asked for it.
    pub trace_id: Option<String>,
    /// How often a process died over it.
    pub crashes: u32,
    /// How often it stopped to wait for a human: each time ends a segment.
    pub waits: u32,
    /// Time executed in finished segments, waits excluded.
    pub executed_ms: u64,
    /// The last segment's telemetry (`hub_otel::Segment` as JSON): the next one links to it.
    #[serde(skip)]
    pub segment: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When a process first took it up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it reached its terminal state.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

/// Where a node of a run stands. A node without a record has not been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeStatus {
    /// Its output is committed: it never runs again.
    Success,
    /// It failed for good.
    Failed,
    /// It took too long.
    TimedOut,
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// The node's id.
    #[sqlx(rename = "node_id")]
    pub id: String,
    /// The agent that was asked.
    pub agent: String,
    /// The action that was asked for.
    pub action: String,
    /// How it ended.
    pub status: NodeStatus,
    /// What the agent answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[sqlx(json(nullable))]
    pub output: Option<Value>,
    /// Why it failed: a stable identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many attempts it took.
    pub attempts: u32,
    /// When the (last) execution began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When its result was known.
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Timestamp,
}
