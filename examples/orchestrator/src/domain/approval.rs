//! Approvals: durable requests for a decision by a person.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// State of an approval.
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
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE", no_pg_array)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// Not decided yet.
    Pending,
    /// Approved by a person.
    Approved,
    /// Rejected by a person.
    Rejected,
    /// Not decided in time.
    Expired,
    /// The run ended before a decision.
    Cancelled,
}

impl Decision {
    /// The value in the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Request for a decision about a node of a run.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Id, a UUIDv7.
    pub id: String,
    /// Id of the waiting run.
    pub run_id: String,
    /// Name of its workflow.
    pub workflow: String,
    /// Id of the waiting node.
    pub node_id: String,
    /// Id of the agent.
    pub agent: String,
    /// Action of the agent.
    pub action: String,
    /// Input of the action, with rendered templates.
    #[sqlx(json)]
    pub input: serde_json::Value,
    /// State of the approval.
    pub decision: Decision,
    /// Time of the request.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// Time of the expiry.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Time of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// Person who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responded_by: Option<String>,
    /// Notes of that person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}
