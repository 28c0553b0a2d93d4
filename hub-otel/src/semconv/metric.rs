//! Metrics: instrument, unit, labels, buckets and the name in Prometheus.

use crate::semconv::attribute::label as l;
use opentelemetry_semantic_conventions::attribute as s;
use opentelemetry_semantic_conventions::metric as m;

/// Definition of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// OpenTelemetry name.
    pub name: &'static str,
    /// Kind of instrument.
    pub kind: Kind,
    /// Unit in UCUM notation.
    pub unit: &'static str,
    /// Description in one sentence, shown as HELP in Prometheus.
    pub description: &'static str,
    /// Labels, without the target's labels (`service_name`, `service_namespace`) and `le`.
    pub labels: &'static [&'static str],
    /// Upper bounds of the buckets of a histogram; empty for other instruments.
    pub buckets: &'static [f64],
    /// Name of the metric family in Prometheus, the same for scraped and for pushed metrics.
    pub prometheus: &'static str,
}

/// Kind of instrument of a [`Metric`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Monotonic sum. `f64` if the unit is `s`, otherwise `u64`.
    Counter,
    /// Non-monotonic sum, additive across processes. `i64`.
    UpDownCounter,
    /// Distribution of values. `f64`.
    Histogram,
    /// Current value. `u64` if the unit is `By`, otherwise `f64`.
    Gauge,
}

/// Runs that reached a terminal state, counted once per run.
pub const WORKFLOW_RUNS: Metric = Metric {
    name: "workflow.runs.total",
    kind: Kind::Counter,
    unit: "{run}",
    description: "Workflow runs that reached a terminal state.",
    labels: &[l::WORKFLOW_ID, l::STATUS, l::TRIGGER_TYPE],
    buckets: &[],
    prometheus: "workflow_runs_total",
};

/// Execution time per run, summed over its segments, without waits.
pub const WORKFLOW_DURATION: Metric = Metric {
    name: "workflow.duration",
    kind: Kind::Histogram,
    unit: "ms",
    description: "Execution time per workflow run, summed over its segments, without waits.",
    labels: &[l::WORKFLOW_ID, l::STATUS],
    buckets: &[
        10.0,
        25.0,
        50.0,
        100.0,
        500.0,
        1_000.0,
        5_000.0,
        10_000.0,
        30_000.0,
        60_000.0,
        120_000.0,
        300_000.0,
        600_000.0,
        1_800_000.0,
        3_600_000.0,
        7_200_000.0,
    ],
    prometheus: "workflow_duration_milliseconds",
};

/// Workflow segments that are executing.
pub const WORKFLOWS_ACTIVE: Metric = Metric {
    name: "workflows.active",
    kind: Kind::UpDownCounter,
    unit: "{run}",
    description: "Workflow runs that are executing.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflows_active",
};

/// Time from the request for an approval to its decision.
pub const WORKFLOW_APPROVAL_WAIT_TIME: Metric = Metric {
    name: "workflow.approval.wait_time",
    kind: Kind::Histogram,
    unit: "ms",
    description: "Time from the request for an approval to its decision.",
    labels: &[l::WORKFLOW_ID, l::DECISION],
    buckets: &[
        1_000.0,
        10_000.0,
        60_000.0,
        300_000.0,
        900_000.0,
        1_800_000.0,
        3_600_000.0,
        14_400_000.0,
        28_800_000.0,
        86_400_000.0,
        259_200_000.0,
        604_800_000.0,
    ],
    prometheus: "workflow_approval_wait_time_milliseconds",
};

/// Logical executions of agents that ended, counted once per execution.
pub const AGENT_RUNS: Metric = Metric {
    name: "agent.runs.total",
    kind: Kind::Counter,
    unit: "{run}",
    description: "Agent executions that ended, counted once per execution regardless of retries.",
    labels: &[l::AGENT_ID, l::ACTION, l::STATUS],
    buckets: &[],
    prometheus: "agent_runs_total",
};

/// Duration of an agent execution, including all attempts and backoffs.
pub const AGENT_DURATION: Metric = Metric {
    name: "agent.duration",
    kind: Kind::Histogram,
    unit: "ms",
    description: "Duration of an agent execution, including all attempts and backoffs.",
    labels: &[l::AGENT_ID, l::ACTION, l::STATUS],
    buckets: &[
        10.0,
        50.0,
        100.0,
        250.0,
        500.0,
        1_000.0,
        2_500.0,
        5_000.0,
        10_000.0,
        30_000.0,
        60_000.0,
        120_000.0,
        300_000.0,
        600_000.0,
        1_800_000.0,
    ],
    prometheus: "agent_duration_milliseconds",
};

/// Agent executions that failed or timed out.
pub const AGENT_ERRORS: Metric = Metric {
    name: "agent.errors.total",
    kind: Kind::Counter,
    unit: "{error}",
    description: "Agent executions that failed or timed out, by error type.",
    labels: &[l::AGENT_ID, l::ERROR_TYPE],
    buckets: &[],
    prometheus: "agent_errors_total",
};

/// Failed attempts of agents that were retried.
pub const AGENT_RETRIES: Metric = Metric {
    name: "agent.retry.count",
    kind: Kind::Counter,
    unit: "{retry}",
    description: "Failed attempts of agents that were retried, by reason.",
    labels: &[l::AGENT_ID, l::REASON],
    buckets: &[],
    prometheus: "agent_retry_count_total",
};

/// Workflow runs that failed or timed out.
pub const WORKFLOW_ERRORS: Metric = Metric {
    name: "workflow.errors.total",
    kind: Kind::Counter,
    unit: "{error}",
    description: "Workflow runs that failed or timed out, by error type.",
    labels: &[l::WORKFLOW_ID, l::ERROR_TYPE],
    buckets: &[],
    prometheus: "workflow_errors_total",
};

/// Approvals that are waiting for a decision.
pub const WORKFLOW_APPROVAL_PENDING: Metric = Metric {
    name: "workflow.approval.pending",
    kind: Kind::UpDownCounter,
    unit: "{approval}",
    description: "Approvals that are waiting for a decision, as of the application's last report.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_approval_pending",
};

/// Age of the oldest approval that is waiting for a decision.
pub const WORKFLOW_APPROVAL_OLDEST_AGE: Metric = Metric {
    name: "workflow.approval.oldest_age",
    kind: Kind::Gauge,
    unit: "s",
    description: "Age of the oldest waiting approval, as of the application's last report.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_approval_oldest_age_seconds",
};

const HTTP_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Semantic conventions, HTTP metrics.
pub const HTTP_SERVER_REQUEST_DURATION: Metric = Metric {
    name: m::HTTP_SERVER_REQUEST_DURATION,
    kind: Kind::Histogram,
    unit: "s",
    description: "Duration of HTTP server requests.",
    labels: &[
        s::HTTP_REQUEST_METHOD,
        s::URL_SCHEME,
        s::HTTP_ROUTE,
        s::HTTP_RESPONSE_STATUS_CODE,
        s::ERROR_TYPE,
        s::NETWORK_PROTOCOL_VERSION,
    ],
    buckets: HTTP_BUCKETS,
    prometheus: "http_server_request_duration_seconds",
};

/// Semantic conventions, HTTP metrics.
pub const HTTP_SERVER_ACTIVE_REQUESTS: Metric = Metric {
    name: m::HTTP_SERVER_ACTIVE_REQUESTS,
    kind: Kind::UpDownCounter,
    unit: "{request}",
    description: "Number of active HTTP server requests.",
    labels: &[s::HTTP_REQUEST_METHOD, s::URL_SCHEME],
    buckets: &[],
    prometheus: "http_server_active_requests",
};

/// Semantic conventions, HTTP metrics.
pub const HTTP_CLIENT_REQUEST_DURATION: Metric = Metric {
    name: m::HTTP_CLIENT_REQUEST_DURATION,
    kind: Kind::Histogram,
    unit: "s",
    description: "Duration of HTTP client requests.",
    labels: &[
        s::HTTP_REQUEST_METHOD,
        s::SERVER_ADDRESS,
        s::SERVER_PORT,
        s::HTTP_RESPONSE_STATUS_CODE,
        s::ERROR_TYPE,
        s::NETWORK_PROTOCOL_VERSION,
    ],
    buckets: HTTP_BUCKETS,
    prometheus: "http_client_request_duration_seconds",
};

/// Semantic conventions, database client metrics.
pub const DB_CLIENT_OPERATION_DURATION: Metric = Metric {
    name: m::DB_CLIENT_OPERATION_DURATION,
    kind: Kind::Histogram,
    unit: "s",
    description: "Duration of database client operations.",
    labels: &[
        s::DB_SYSTEM_NAME,
        s::DB_COLLECTION_NAME,
        s::DB_NAMESPACE,
        s::DB_OPERATION_NAME,
        s::DB_QUERY_SUMMARY,
        s::DB_RESPONSE_STATUS_CODE,
        s::ERROR_TYPE,
        s::SERVER_ADDRESS,
        s::SERVER_PORT,
    ],
    buckets: &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0],
    prometheus: "db_client_operation_duration_seconds",
};

/// Semantic conventions, process metrics.
pub const PROCESS_CPU_TIME: Metric = Metric {
    name: m::PROCESS_CPU_TIME,
    kind: Kind::Counter,
    unit: "s",
    description: "Total CPU seconds broken down by different states.",
    labels: &[s::CPU_MODE],
    buckets: &[],
    prometheus: "process_cpu_time_seconds_total",
};

/// Semantic conventions, process metrics.
pub const PROCESS_MEMORY_USAGE: Metric = Metric {
    name: m::PROCESS_MEMORY_USAGE,
    kind: Kind::UpDownCounter,
    unit: "By",
    description: "The amount of physical memory in use.",
    labels: &[],
    buckets: &[],
    prometheus: "process_memory_usage_bytes",
};

/// Semantic conventions, process metrics.
pub const PROCESS_THREAD_COUNT: Metric = Metric {
    name: m::PROCESS_THREAD_COUNT,
    kind: Kind::UpDownCounter,
    unit: "{thread}",
    description: "Process threads count.",
    labels: &[],
    buckets: &[],
    prometheus: "process_thread_count",
};

/// Semantic conventions, process metrics.
pub const PROCESS_FILE_DESCRIPTOR_COUNT: Metric = Metric {
    name: m::PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
    kind: Kind::UpDownCounter,
    unit: "{file_descriptor}",
    description: "Number of unix file descriptors in use by the process.",
    labels: &[],
    buckets: &[],
    prometheus: "process_unix_file_descriptor_count",
};

/// Semantic conventions, process metrics. Also used to detect a stopped service whose metrics are
/// pushed.
pub const PROCESS_UPTIME: Metric = Metric {
    name: m::PROCESS_UPTIME,
    kind: Kind::Gauge,
    unit: "s",
    description: "The time the process has been running.",
    labels: &[],
    buckets: &[],
    prometheus: "process_uptime_seconds",
};

/// Memory that the process may use before it is killed.
pub const PROCESS_MEMORY_LIMIT: Metric = Metric {
    name: "hub_otel.process.memory.limit",
    kind: Kind::Gauge,
    unit: "By",
    description: "Memory limit of the process: the cgroup limit, or the physical memory if unlimited.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_process_memory_limit_bytes",
};

/// Delay with which a timer fires on the application's runtime.
pub const RUNTIME_LAG: Metric = Metric {
    name: "hub_otel.runtime.lag",
    kind: Kind::Histogram,
    unit: "s",
    description: "Delay with which a timer fires on the application's runtime.",
    labels: &[],
    buckets: &[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0],
    prometheus: "hub_otel_runtime_lag_seconds",
};

/// Worker threads of the application's runtime.
pub const RUNTIME_WORKERS: Metric = Metric {
    name: "hub_otel.runtime.workers",
    kind: Kind::UpDownCounter,
    unit: "{worker}",
    description: "Worker threads of the application's runtime.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_workers",
};

/// Tasks of the application's runtime that have not completed.
pub const RUNTIME_TASKS: Metric = Metric {
    name: "hub_otel.runtime.tasks",
    kind: Kind::UpDownCounter,
    unit: "{task}",
    description: "Tasks of the application's runtime that have not completed.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_tasks",
};

/// Tasks in the global queue of the application's runtime.
pub const RUNTIME_QUEUE_DEPTH: Metric = Metric {
    name: "hub_otel.runtime.queue.depth",
    kind: Kind::UpDownCounter,
    unit: "{task}",
    description: "Tasks in the global queue of the application's runtime.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_queue_depth",
};

/// Time that the runtime's workers spent running tasks, summed over the workers.
pub const RUNTIME_BUSY_TIME: Metric = Metric {
    name: "hub_otel.runtime.busy_time",
    kind: Kind::Counter,
    unit: "s",
    description: "Time that the workers of the application's runtime spent running tasks, summed over the workers.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_runtime_busy_time_seconds_total",
};

/// Telemetry items by export result.
pub const EXPORT_ITEMS: Metric = Metric {
    name: "hub_otel.export.items",
    kind: Kind::Counter,
    unit: "{item}",
    description: "Spans, log records and metric points by export result.",
    labels: &[l::SIGNAL, l::RESULT, l::REASON],
    buckets: &[],
    prometheus: "hub_otel_export_items_total",
};

/// All metrics of the contract. The fixed metrics come first.
pub const METRICS: &[Metric] = &[
    WORKFLOW_RUNS,
    WORKFLOW_DURATION,
    WORKFLOWS_ACTIVE,
    WORKFLOW_APPROVAL_WAIT_TIME,
    AGENT_RUNS,
    AGENT_DURATION,
    AGENT_ERRORS,
    AGENT_RETRIES,
    WORKFLOW_ERRORS,
    WORKFLOW_APPROVAL_PENDING,
    WORKFLOW_APPROVAL_OLDEST_AGE,
    HTTP_SERVER_REQUEST_DURATION,
    HTTP_SERVER_ACTIVE_REQUESTS,
    HTTP_CLIENT_REQUEST_DURATION,
    DB_CLIENT_OPERATION_DURATION,
    PROCESS_CPU_TIME,
    PROCESS_MEMORY_USAGE,
    PROCESS_THREAD_COUNT,
    PROCESS_FILE_DESCRIPTOR_COUNT,
    PROCESS_UPTIME,
    PROCESS_MEMORY_LIMIT,
    RUNTIME_LAG,
    RUNTIME_WORKERS,
    RUNTIME_TASKS,
    RUNTIME_QUEUE_DEPTH,
    RUNTIME_BUSY_TIME,
    EXPORT_ITEMS,
];

/// Number of metrics at the start of [`METRICS`] whose names are fixed.
pub const FIXED: usize = 8;
