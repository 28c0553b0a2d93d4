//! Attribute and label keys. Keys of the semantic conventions are re-exported from the conventions
//! crate.

pub use opentelemetry_semantic_conventions::attribute::CLIENT_ADDRESS;
pub use opentelemetry_semantic_conventions::attribute::CODE_FILE_PATH;
pub use opentelemetry_semantic_conventions::attribute::CODE_LINE_NUMBER;
pub use opentelemetry_semantic_conventions::attribute::CPU_MODE;
pub use opentelemetry_semantic_conventions::attribute::DB_CLIENT_CONNECTION_POOL_NAME;
pub use opentelemetry_semantic_conventions::attribute::DB_CLIENT_CONNECTION_STATE;
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
pub use opentelemetry_semantic_conventions::attribute::SESSION_ID;
pub use opentelemetry_semantic_conventions::attribute::URL_FULL;
pub use opentelemetry_semantic_conventions::attribute::URL_PATH;
pub use opentelemetry_semantic_conventions::attribute::URL_SCHEME;
pub use opentelemetry_semantic_conventions::attribute::URL_TEMPLATE;
pub use opentelemetry_semantic_conventions::attribute::USER_AGENT_ORIGINAL;

/// Id of a workflow run, the same for all its segments. Span attribute only, never a label.
pub const WORKFLOW_RUN_ID: &str = "workflow.run.id";
/// Stable slug of the workflow.
pub const WORKFLOW_ID: &str = "workflow.id";
/// Display name of the workflow.
pub const WORKFLOW_NAME: &str = "workflow.name";
/// Trigger of the run, as named by the application.
pub const WORKFLOW_TRIGGER: &str = "workflow.trigger";
/// Status of the segment: a value of [`crate::semconv::status`].
pub const WORKFLOW_STATUS: &str = "workflow.status";
/// Duration of the segment in milliseconds.
pub const WORKFLOW_DURATION_MS: &str = "workflow.duration.ms";
/// Reason for the suspension of the segment.
pub const WORKFLOW_SUSPEND_REASON: &str = "workflow.suspend.reason";
/// Time in milliseconds that the run waited before it started.
pub const WORKFLOW_QUEUE_WAIT_TIME_MS: &str = "workflow.queue.wait_time.ms";

/// Stable slug of the agent.
pub const AGENT_ID: &str = "agent.id";
/// Display name of the agent.
pub const AGENT_NAME: &str = "agent.name";
/// Action that the agent performs.
pub const AGENT_ACTION: &str = "agent.action";
/// Id of one logical execution of an agent, including all attempts.
pub const AGENT_RUN_ID: &str = "agent.run.id";
/// Status of the execution: a value of [`crate::semconv::status`].
pub const AGENT_STATUS: &str = "agent.status";
/// Duration of the execution in milliseconds, including backoffs.
pub const AGENT_DURATION_MS: &str = "agent.duration.ms";
/// Number of failed attempts that were retried.
pub const AGENT_RETRY_COUNT: &str = "agent.retry.count";

/// Number of the failed attempt, counted from 1.
pub const AGENT_RETRY_ATTEMPT: &str = "agent.retry.attempt";
/// Reason for the retry: a stable identifier.
pub const AGENT_RETRY_REASON: &str = "agent.retry.reason";
/// Delay before the next attempt in milliseconds.
pub const AGENT_RETRY_DELAY_MS: &str = "agent.retry.delay.ms";

/// Cost of the calls of models below the segment, in US dollars.
pub const WORKFLOW_COST_USD: &str = "workflow.cost.usd";
/// Cost of the calls of models below the agent, in US dollars.
pub const AGENT_COST_USD: &str = "agent.cost.usd";
/// Limit of a budget: a value of [`crate::semconv::value::budget_limit`].
pub const BUDGET_LIMIT: &str = "budget.limit";
/// Amount of a limit that is used.
pub const BUDGET_USED: &str = "budget.used";
/// Amount of a limit.
pub const BUDGET_MAX: &str = "budget.max";
/// Change of the program by which the budget can refuse a call.
pub const BUDGET_REMEDY: &str = "budget.remedy";

/// Error message. Span attribute only, never a label.
pub const ERROR_MESSAGE: &str = "error.message";
/// Status of a call of a model or of a tool: a value of [`crate::semconv::status`].
pub const STATUS: &str = "hub_otel.status";
/// `true` on a unit whose error is declared as expected.
pub const EXPECTED_ERROR: &str = "hub_otel.expected_error";
/// Reason for the end of a unit that did not end by itself: a value of
/// [`crate::semconv::value::ended_by`].
pub const ENDED_BY: &str = "hub_otel.ended_by";
/// Number of items of a unit that is a stream.
pub const STREAM_ITEMS: &str = "hub_otel.stream.items";
/// Time from the start of a unit to the first item of its stream, in milliseconds.
pub const STREAM_FIRST_ITEM_MS: &str = "hub_otel.stream.first_item.ms";

/// Id of one approval request.
pub const WORKFLOW_APPROVAL_ID: &str = "workflow.approval.id";
/// Decision: a value of [`crate::semconv::decision::ALL`].
pub const WORKFLOW_APPROVAL_DECISION: &str = "workflow.approval.decision";

/// Keys of metric labels, in Prometheus spelling.
pub mod label {
    /// [`crate::semconv::attribute::WORKFLOW_ID`] as a label.
    pub const WORKFLOW_ID: &str = "workflow_id";
    /// [`crate::semconv::attribute::WORKFLOW_TRIGGER`] as a label.
    pub const TRIGGER_TYPE: &str = "trigger_type";
    /// Terminal status.
    pub const STATUS: &str = "status";
    /// [`crate::semconv::attribute::WORKFLOW_APPROVAL_DECISION`] as a label.
    pub const DECISION: &str = "decision";
    /// [`crate::semconv::attribute::AGENT_ID`] as a label.
    pub const AGENT_ID: &str = "agent_id";
    /// [`crate::semconv::attribute::AGENT_ACTION`] as a label.
    pub const ACTION: &str = "action";
    /// [`crate::semconv::attribute::ERROR_TYPE`] as a label.
    pub const ERROR_TYPE: &str = "error_type";
    /// Model of a call.
    pub const MODEL: &str = "model";
    /// Type of tokens: a value of [`crate::semconv::gen_ai::token_type`].
    pub const TYPE: &str = "type";
    /// Source of a cost: a value of [`crate::semconv::value::cost_source`].
    pub const SOURCE: &str = "source";
    /// Reason for a retry or a drop.
    pub const REASON: &str = "reason";
    /// `traces`, `metrics` or `logs`.
    pub const SIGNAL: &str = "signal";
    /// Result of the export of an item: `ok`, `rejected`, `failed` or `dropped`.
    pub const RESULT: &str = "result";
    /// Type of an exporter that the application gave to the builder. Absent for the exporter of
    /// this library.
    pub const EXPORTER: &str = "exporter";
    /// Only label of the overflow series, which aggregates measurements beyond the cardinality
    /// limit of an instrument (metrics SDK specification, "Overflow attribute").
    pub const OVERFLOW: &str = "otel.metric.overflow";
    /// [`OVERFLOW`] in Prometheus spelling.
    pub const OVERFLOW_PROMETHEUS: &str = "otel_metric_overflow";
}
