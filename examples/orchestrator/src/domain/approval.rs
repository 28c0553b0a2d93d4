//! An approval: a question to a human that outlives the process that asked it.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of the question.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    sqlx::Type,
    strum::IntoStaticStr,
    utoipa::ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
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
    /// As stored and answered.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// May this node of this run go ahead?
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
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
    #[sqlx(json)]
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
