//! `orchestrator approvals`: lists and decides approvals.

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{Api, CallError};
use crate::terminal::{Exit, print_line};

/// Lists and decides pending approvals.
#[derive(Debug, Clone, Subcommand)]
pub enum ApprovalsCommand {
    /// Lists the pending approvals, one per line: id, run, node, action and request time.
    List,
    /// Approves: the run continues.
    Approve(DecisionArgs),
    /// Rejects: the run ends as REJECTED.
    Reject(DecisionArgs),
}

/// Arguments of a decision.
#[derive(Debug, Clone, Args)]
pub struct DecisionArgs {
    /// Id of the approval.
    pub id: String,
    /// Name of the person who decides.
    #[arg(long, env = "HUB_BY", default_value = "cli")]
    pub by: String,
    /// Notes on the decision.
    #[arg(long, env = "HUB_NOTES")]
    pub notes: Option<String>,
}

impl ApprovalsCommand {
    /// Executes the command.
    ///
    /// # Errors
    /// The server is unreachable or returned an error.
    pub async fn execute(self, api: &Api) -> Result<Exit, CallError> {
        match self {
            Self::List => list(api).await,
            Self::Approve(args) => decide(api, "APPROVED", args).await,
            Self::Reject(args) => decide(api, "REJECTED", args).await,
        }
    }
}

async fn list(api: &Api) -> Result<Exit, CallError> {
    for approval in api.list("/api/approvals", "", &[("decision", "PENDING")], usize::MAX).await? {
        let field = |key: &str| approval[key].as_str().unwrap_or("?");
        print_line(&format!(
            "{}\t{}\t{}/{}\t{}.{}\t{}",
            field("id"),
            field("runId"),
            field("workflow"),
            field("nodeId"),
            field("agent"),
            field("action"),
            field("requestedAt"),
        ));
    }
    Ok(Exit::Success)
}

async fn decide(api: &Api, decision: &str, args: DecisionArgs) -> Result<Exit, CallError> {
    let mut body = json!({ "decision": decision, "respondedBy": args.by });
    if let Some(notes) = args.notes {
        body["notes"] = notes.into();
    }
    api.post("/api/approvals/{id}/decision", &args.id, &body).await?;
    print_line(&args.id);
    Ok(Exit::Success)
}
