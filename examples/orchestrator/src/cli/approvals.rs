//! `orchestrator approvals`: what waits for a human, and the human's answer.

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{Api, CallError};
use super::{Exit, out};

/// Lists what waits for a decision, and decides.
#[derive(Debug, Clone, Subcommand)]
pub enum Approvals {
    /// Lists the approvals that wait: id, run, what would be done, and since when, a line each.
    List,
    /// Lets the run go on.
    Approve(Answer),
    /// Ends the run as REJECTED.
    Reject(Answer),
}

/// An answer.
#[derive(Debug, Clone, Args)]
pub struct Answer {
    /// The approval's id.
    pub id: String,
    /// Who answers.
    #[arg(long, env = "HUB_BY", default_value = "cli")]
    pub by: String,
    /// Why.
    #[arg(long, env = "HUB_NOTES")]
    pub notes: Option<String>,
}

impl Approvals {
    /// Does it.
    ///
    /// # Errors
    /// When the server does not answer, or says no.
    pub async fn execute(self, api: &Api) -> Result<Exit, CallError> {
        match self {
            Self::List => list(api).await,
            Self::Approve(answer) => decide(api, "APPROVED", answer).await,
            Self::Reject(answer) => decide(api, "REJECTED", answer).await,
        }
    }
}

async fn list(api: &Api) -> Result<Exit, CallError> {
    for approval in api.list("/api/approvals", "", &[("decision", "PENDING")], usize::MAX).await? {
        let text = |key: &str| approval[key].as_str().unwrap_or("?");
        out::line(&format!(
            "{}\t{}\t{}/{}\t{}.{}\t{}",
            text("id"),
            text("runId"),
            text("workflow"),
            text("nodeId"),
            text("agent"),
            text("action"),
            text("requestedAt"),
        ));
    }
    Ok(Exit::Success)
}

async fn decide(api: &Api, decision: &str, answer: Answer) -> Result<Exit, CallError> {
    let mut body = json!({ "decision": decision, "respondedBy": answer.by });
    if let Some(notes) = answer.notes {
        body["notes"] = notes.into();
    }
    api.post("/api/approvals/{id}/decision", &answer.id, &body).await?;
    out::line(&answer.id);
    Ok(Exit::Success)
}
