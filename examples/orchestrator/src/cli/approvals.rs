//! `orchestrator approvals`: what waits for a human, and the human's answer.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

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
    #[arg(long, env = "USER", default_value = "cli")]
    pub by: String,
    /// Why.
    #[arg(long)]
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
    let mut offset = 0;
    loop {
        let query =
            [("decision", "PENDING".to_owned()), ("limit", "100".to_owned()), ("offset", offset.to_string())];
        let answer = api.approvals(&query).await?;
        let page = answer.get("approvals").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for approval in page {
            let text = |key: &str| approval[key].as_str().unwrap_or("?").to_owned();
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
        if page.len() < 100 {
            return Ok(Exit::Success);
        }
        offset += page.len();
    }
}

async fn decide(api: &Api, decision: &str, answer: Answer) -> Result<Exit, CallError> {
    let mut body = json!({ "decision": decision, "respondedBy": answer.by });
    if let Some(notes) = answer.notes {
        body["notes"] = notes.into();
    }
    api.decide(&answer.id, &body).await?;
    out::line(&answer.id);
    Ok(Exit::Success)
}
