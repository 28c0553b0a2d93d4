//! Names of the first design and the names emitted instead, for queries written against the design.

/// Pairs of a name of the first design and the name that is emitted.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("workflow_runs_total", "workflow_runs_total"),
    ("workflows_active", "workflows_active"),
    ("agent_runs_total", "agent_runs_total"),
    ("agent_errors_total", "agent_errors_total"),
    ("agent_retry_count", "agent_retry_count_total"),
    ("workflow_duration_bucket", "workflow_duration_milliseconds_bucket"),
    ("agent_duration_bucket", "agent_duration_milliseconds_bucket"),
    ("agent_duration", "agent_duration_milliseconds_sum"),
    ("workflow_duration", "workflow_duration_milliseconds_sum"),
    ("http_server_duration_bucket", "http_server_request_duration_seconds_bucket"),
    (
        "http_server_requests_total{status}",
        "http_server_request_duration_seconds_count{http_response_status_code}",
    ),
    ("db_client_operation_duration_bucket", "db_client_operation_duration_seconds_bucket"),
    ("process_runtime_nodejs_memory_heap_bytes", "process_memory_usage_bytes"),
    ("process_runtime_nodejs_event_loop_lag_milliseconds", "hub_otel_runtime_lag_seconds_bucket"),
    ("active connections", "http_server_active_requests"),
];
