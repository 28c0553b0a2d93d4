//! A run: one execution of a workflow, durable, with a state machine that only ever moves forward.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
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
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::WaitingApproval,
        Self::Success,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Rejected,
    ];

    /// As stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::WaitingApproval => "WAITING_APPROVAL",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
            Self::Rejected => "REJECTED",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Does it stay for ever?
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::WaitingApproval)
    }

    /// The only steps there are. A terminal state has none.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use RunStatus::{Cancelled, Failed, Pending, Rejected, Running, Success, TimedOut, WaitingApproval};
        match self {
            Pending => matches!(next, Running | Cancelled | Failed),
            Running => {
                matches!(next, Success | Failed | Cancelled | TimedOut | Rejected | WaitingApproval | Pending)
            }
            WaitingApproval => matches!(next, Pending | Rejected | TimedOut | Cancelled),
            Success | Failed | Cancelled | TimedOut | Rejected => false,
        }
    }
}

/// What started a run: the label `trigger_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
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
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Manual, Self::Schedule, Self::Event, Self::Retry, Self::GrafanaWebhook];

    /// As stored, answered and labelled.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Retry => "retry",
            Self::GrafanaWebhook => "grafana_webhook",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == text)
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

/// One execution of a workflow, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// A UUIDv7.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// What started it.
    pub trigger: Trigger,
    /// The templates' variables.
    pub context: Map<String, Value>,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it failed: a stable identifier.
    pub error_type: Option<String>,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// The run that this one repeats.
    pub retry_of: Option<String>,
    /// The trace that asked for it.
    pub trace_id: Option<String>,
    /// How often a process died over it.
    pub crashes: u32,
    /// How often it stopped to wait for a human.
    pub waits: u32,
    /// Time executed in finished segments, waits excluded.
    pub executed_ms: u64,
    /// The last segment's telemetry (`hub_otel::Segment` as JSON): the next one links to it.
    pub segment: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a process first took it up.
    pub started_at: Option<Timestamp>,
    /// When it reached its terminal state.
    pub finished_at: Option<Timestamp>,
}

/// Where a node of a run stands. A node without a record has not been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeStatus {
    /// Its output is committed: it never runs again.
    Success,
    /// It failed for good.
    Failed,
    /// It took too long.
    TimedOut,
}

impl NodeStatus {
    /// As stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failed, Self::TimedOut].into_iter().find(|status| status.as_str() == text)
    }
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// The node's id.
    pub id: String,
    /// The agent that was asked.
    pub agent: String,
    /// The action that was asked for.
    pub action: String,
    /// How it ended.
    pub status: NodeStatus,
    /// What the agent answered.
    #[serde(skip_serializing_if = "Option::is_none")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_state_never_changes() {
        for from in RunStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            for to in RunStatus::ALL {
                assert!(!from.may_become(to), "{from:?} became {to:?}");
            }
        }
    }

    #[test]
    fn every_status_is_read_as_it_was_written() {
        for status in RunStatus::ALL {
            assert_eq!(RunStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(RunStatus::parse("DONE"), None);
    }
}
