//! Attribute and label keys. Keys of the semantic conventions are re-exported from their crate, never spelled here.

pub use opentelemetry_semantic_conventions::attribute::CLIENT_ADDRESS;
pub use opentelemetry_semantic_conventions::attribute::CPU_MODE;
pub use opentelemetry_semantic_conventions::attribute::DB_COLLECTION_NAME;
pub use opentelemetry_semantic_conventions::attribute::DB_NAMESPACE;
pub use opentelemetry_semantic_conventions::attribute::DB_OPERATION_NAME;
pub use opentelemetry_semantic_conventions::attribute::DB_QUERY_SUMMARY;
pub use opentelemetry_semantic_conventions::attribute::DB_RESPONSE_RETURNED_ROWS;
pub use opentelemetry_semantic_conventions::attribute::DB_RESPONSE_STATUS_CODE;
pub use opentelemetry_semantic_conventions::attribute::DB_SYSTEM_NAME;
pub use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;
pub use opentelemetry_semantic_conventions::attribute::EXCEPTION_MESSAGE;
pub use opentelemetry_semantic_conventions::attribute::EXCEPTION_TYPE;
pub use opentelemetry_semantic_conventions::attribute::HTTP_REQUEST_HEADER;
pub use opentelemetry_semantic_conventions::attribute::HTTP_REQUEST_METHOD;
pub use opentelemetry_semantic_conventions::attribute::HTTP_REQUEST_METHOD_ORIGINAL;
pub use opentelemetry_semantic_conventions::attribute::HTTP_REQUEST_RESEND_COUNT;
pub use opentelemetry_semantic_conventions::attribute::HTTP_RESPONSE_HEADER;
pub use opentelemetry_semantic_conventions::attribute::HTTP_RESPONSE_STATUS_CODE;
pub use opentelemetry_semantic_conventions::attribute::HTTP_ROUTE;
pub use opentelemetry_semantic_conventions::attribute::NETWORK_PEER_ADDRESS;
pub use opentelemetry_semantic_conventions::attribute::NETWORK_PEER_PORT;
pub use opentelemetry_semantic_conventions::attribute::NETWORK_PROTOCOL_VERSION;
pub use opentelemetry_semantic_conventions::attribute::SERVER_ADDRESS;
pub use opentelemetry_semantic_conventions::attribute::SERVER_PORT;
pub use opentelemetry_semantic_conventions::attribute::SERVICE_NAME;
pub use opentelemetry_semantic_conventions::attribute::SERVICE_NAMESPACE;
pub use opentelemetry_semantic_conventions::attribute::URL_FULL;
pub use opentelemetry_semantic_conventions::attribute::URL_PATH;
pub use opentelemetry_semantic_conventions::attribute::URL_SCHEME;
pub use opentelemetry_semantic_conventions::attribute::URL_TEMPLATE;
pub use opentelemetry_semantic_conventions::attribute::USER_AGENT_ORIGINAL;

/// Identifies one run of a workflow, over all its segments. Span attribute only, never a label.
pub const WORKFLOW_RUN_ID: &str = "workflow.run.id";
/// The workflow's stable slug.
pub const WORKFLOW_ID: &str = "workflow.id";
/// The workflow's name for people.
pub const WORKFLOW_NAME: &str = "workflow.name";
/// What started the run: the application's word.
pub const WORKFLOW_TRIGGER: &str = "workflow.trigger";
/// How the segment ended: a value of [`crate::semconv::status`].
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
/// How the execution ended: a value of [`crate::semconv::status`].
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
/// What was decided: a value of [`crate::semconv::status::DECISIONS`].
pub const WORKFLOW_APPROVAL_DECISION: &str = "workflow.approval.decision";

/// The keys of metric labels. Prometheus names: labels are spelled as they are read.
pub mod label {
    /// [`crate::semconv::attribute::WORKFLOW_ID`] as a label.
    pub const WORKFLOW_ID: &str = "workflow_id";
    /// [`crate::semconv::attribute::WORKFLOW_TRIGGER`] as a label.
    pub const TRIGGER_TYPE: &str = "trigger_type";
    /// The terminal status.
    pub const STATUS: &str = "status";
    /// [`crate::semconv::attribute::WORKFLOW_APPROVAL_DECISION`] as a label.
    pub const DECISION: &str = "decision";
    /// [`crate::semconv::attribute::AGENT_ID`] as a label.
    pub const AGENT_ID: &str = "agent_id";
    /// [`crate::semconv::attribute::AGENT_ACTION`] as a label.
    pub const ACTION: &str = "action";
    /// [`crate::semconv::attribute::ERROR_TYPE`] as a label.
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
