//! Attribute and label keys. Keys of the semantic conventions are re-exported from their crate, never spelled here.

pub use opentelemetry_semantic_conventions::attribute::{
    CLIENT_ADDRESS, CPU_MODE, DB_COLLECTION_NAME, DB_NAMESPACE, DB_OPERATION_NAME, DB_QUERY_SUMMARY,
    DB_RESPONSE_RETURNED_ROWS, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME, ERROR_TYPE, EXCEPTION_MESSAGE,
    EXCEPTION_TYPE, HTTP_REQUEST_HEADER, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL,
    HTTP_REQUEST_RESEND_COUNT, HTTP_RESPONSE_HEADER, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
    NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT,
    SERVICE_NAME, SERVICE_NAMESPACE, URL_FULL, URL_PATH, URL_SCHEME, URL_TEMPLATE, USER_AGENT_ORIGINAL,
};

/// Identifies one run of a workflow, over all its segments. Span attribute only, never a label.
pub const WORKFLOW_RUN_ID: &str = "workflow.run.id";
/// The workflow's stable slug.
pub const WORKFLOW_ID: &str = "workflow.id";
/// The workflow's name for people.
pub const WORKFLOW_NAME: &str = "workflow.name";
/// What started the run: the application's word.
pub const WORKFLOW_TRIGGER: &str = "workflow.trigger";
/// How the segment ended: a value of [`super::status`].
pub const WORKFLOW_STATUS: &str = "workflow.status";
/// How long the segment took, in milliseconds.
pub const WORKFLOW_DURATION_MS: &str = "workflow.duration.ms";
/// Why the segment was suspended.
pub const WORKFLOW_SUSPEND_REASON: &str = "workflow.suspend.reason";

/// The agent's stable slug.
pub const AGENT_ID: &str = "agent.id";
/// The agent's name for people.
pub const AGENT_NAME: &str = "agent.name";
/// What the agent was asked to do.
pub const AGENT_ACTION: &str = "agent.action";
/// Identifies one logical execution of an agent, all attempts included.
pub const AGENT_RUN_ID: &str = "agent.run.id";
/// How the execution ended: a value of [`super::status`].
pub const AGENT_STATUS: &str = "agent.status";
/// How long the execution took, in milliseconds, backoffs included.
pub const AGENT_DURATION_MS: &str = "agent.duration.ms";
/// How many attempts failed and were tried again.
pub const AGENT_RETRY_COUNT: &str = "agent.retry.count";

/// The attempt that failed, counted from 1.
pub const AGENT_RETRY_ATTEMPT: &str = "agent.retry.attempt";
/// Why the attempt is tried again: a stable word.
pub const AGENT_RETRY_REASON: &str = "agent.retry.reason";
/// How long until the next attempt, in milliseconds.
pub const AGENT_RETRY_DELAY_MS: &str = "agent.retry.delay.ms";

/// The error's text. Span attribute only, never a label.
pub const ERROR_MESSAGE: &str = "error.message";
/// `true` on a unit whose error was declared expected.
pub const EXPECTED_ERROR: &str = "hub_otel.expected_error";

/// Identifies one request for approval.
pub const WORKFLOW_APPROVAL_ID: &str = "workflow.approval.id";
/// What was decided: a value of [`super::status::DECISIONS`].
pub const WORKFLOW_APPROVAL_DECISION: &str = "workflow.approval.decision";

/// The keys of metric labels. Prometheus names: labels are spelled as they are read.
pub mod label {
    /// [`super::WORKFLOW_ID`] as a label.
    pub const WORKFLOW_ID: &str = "workflow_id";
    /// [`super::WORKFLOW_TRIGGER`] as a label.
    pub const TRIGGER_TYPE: &str = "trigger_type";
    /// The terminal status.
    pub const STATUS: &str = "status";
    /// [`super::WORKFLOW_APPROVAL_DECISION`] as a label.
    pub const DECISION: &str = "decision";
    /// [`super::AGENT_ID`] as a label.
    pub const AGENT_ID: &str = "agent_id";
    /// [`super::AGENT_ACTION`] as a label.
    pub const ACTION: &str = "action";
    /// [`super::ERROR_TYPE`] as a label.
    pub const ERROR_TYPE: &str = "error_type";
    /// Why something was retried or dropped.
    pub const REASON: &str = "reason";
    /// `traces`, `metrics` or `logs`.
    pub const SIGNAL: &str = "signal";
    /// What became of an exported item: `ok`, `rejected`, `failed` or `dropped`.
    pub const RESULT: &str = "result";
    /// The one label of the series that takes what is over an instrument's limit (metrics SDK specification, "Overflow
    /// attribute"): OpenTelemetry's own name.
    pub const OVERFLOW: &str = "otel.metric.overflow";
    /// [`OVERFLOW`] as Prometheus spells it.
    pub const OVERFLOW_PROMETHEUS: &str = "otel_metric_overflow";
}
