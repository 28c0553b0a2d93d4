//! An approval: a question to a human that outlives the process that asked it.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// Nobody has answered yet.
    Pending,
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// The run ended otherwise before anybody answered.
    Cancelled,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Approved, Self::Rejected, Self::Expired, Self::Cancelled];

    /// As stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == text)
    }
}

/// May this node of this run go ahead?
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// A UUIDv7.
    pub id: String,
    /// The run that waits.
    pub run_id: String,
    /// Its workflow.
    pub workflow: String,
    /// The node that waits.
    pub node_id: String,
    /// The agent that would act.
    pub agent: String,
    /// What it would do.
    pub action: String,
    /// With what input, templates rendered: what one says yes to.
    pub input: serde_json::Value,
    /// What became of it.
    pub decision: Decision,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// When silence becomes a no.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responded_by: Option<String>,
    /// What they said beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}
