//! Names of span events and of the log records that the library emits.

/// Span event of a failure (semantic conventions, "Exceptions on spans").
pub const EXCEPTION: &str = "exception";
/// An attempt failed and will be retried: span event and log record (WARN).
pub const AGENT_RETRY: &str = "agent.retry";
/// The first segment of a run started (INFO).
pub const WORKFLOW_RUN_STARTED: &str = "workflow.run.started";
/// A run reached a terminal state (INFO; ERROR when failed).
pub const WORKFLOW_RUN_ENDED: &str = "workflow.run.ended";
/// An approval was requested (INFO).
pub const WORKFLOW_APPROVAL_REQUESTED: &str = "workflow.approval.requested";
/// An approval was decided (INFO).
pub const WORKFLOW_APPROVAL_DECIDED: &str = "workflow.approval.decided";
/// An agent execution started (DEBUG).
pub const AGENT_RUN_STARTED: &str = "agent.run.started";
/// An agent execution ended (DEBUG).
pub const AGENT_RUN_ENDED: &str = "agent.run.ended";
/// Exception of a call of a model, as a log record (WARN).
pub const GEN_AI_EXCEPTION: &str = "gen_ai.client.operation.exception";
/// Messages of a call of a model, by consent only (DEBUG).
pub const INFERENCE_DETAILS: &str = "gen_ai.client.inference.operation.details";
/// 80 % of a limit of a budget are used (WARN).
pub const BUDGET_WARNING: &str = "budget.warning";
/// A call was made although a limit of its budget was reached (WARN).
pub const BUDGET_EXCEEDED: &str = "budget.exceeded";
