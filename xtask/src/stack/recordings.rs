//! Recording rules that alerts use: numbers of events in a window, per service.

use crate::promql::{
    FIVE_MINUTES, MINUTE, Series, TEN_MINUTES, events_in_window, quantile, sum_by,
};
use hub_otel::semconv::attribute::label::{AGENT_ID, RESULT, SIGNAL, STATUS, WORKFLOW_ID};
use hub_otel::semconv::attribute::{ERROR_TYPE, SERVICE_NAME};
use hub_otel::semconv::metric as m;

/// Workflow that delivers alerts. Excluded from all alerts, so that a failing notifier does not
/// trigger itself.
pub const ALERT_WORKFLOW: &str = "alert-notification";
/// Agent of [`ALERT_WORKFLOW`], excluded for the same reason.
pub const ALERT_AGENT: &str = "alert-notifier";
/// Statuses that count as failures.
pub const FAILURES: &str = "FAILED|TIMED_OUT";
/// Statuses that count neither as failures nor as successes.
pub const NEUTRAL: &str = "CANCELLED|REJECTED";
/// Values of `error_type` for a lost connection to a database.
pub const CONNECTION_LOST: &str = "connection|pool_timeout|io";

/// A recording rule.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Name of the recorded series.
    pub name: &'static str,
    /// Rule group.
    pub group: &'static str,
    /// Labels of the recorded series.
    pub labels: &'static [&'static str],
    /// PromQL expression of the rule.
    pub expression: String,
}

/// Runs in the last five minutes.
pub const RUNS: &str = "workflow:runs:increase5m";
/// 95th percentile of the durations of runs in the last five minutes, in milliseconds.
pub const DURATION_P95: &str = "workflow:duration_milliseconds:p95_5m";
/// Agent executions that failed in the last ten minutes.
pub const AGENT_FAILURES: &str = "agent:failures:increase10m";
/// Responses with a 5xx status in the last minute.
pub const HTTP_ERRORS: &str = "http_server:errors:increase1m";
/// Database operations in the last five minutes that failed for lack of a connection.
pub const DATABASE_ERRORS: &str = "db_client:connection_errors:increase5m";
/// Telemetry items lost in the last five minutes.
pub const LOST_TELEMETRY: &str = "hub_otel:lost_items:increase5m";

/// Returns all recording rules except those of the objectives.
#[must_use]
pub fn all() -> Vec<Recording> {
    let by_run: &[&str] = &[SERVICE_NAME, WORKFLOW_ID, STATUS];
    let by_workflow: &[&str] = &[SERVICE_NAME, WORKFLOW_ID];
    let by_agent: &[&str] = &[SERVICE_NAME, AGENT_ID];
    let by_signal: &[&str] = &[SERVICE_NAME, SIGNAL];
    let by_service: &[&str] = &[SERVICE_NAME];
    let durations = Series::buckets(&m::WORKFLOW_DURATION).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let agents = Series::of(&m::AGENT_RUNS).like(STATUS, FAILURES).not(AGENT_ID, ALERT_AGENT);
    let errors = server_errors();
    let database =
        Series::count(&m::DB_CLIENT_OPERATION_DURATION).like(ERROR_TYPE, CONNECTION_LOST);
    let lost = Series::of(&m::EXPORT_ITEMS).not(RESULT, "ok");
    vec![
        Recording {
            name: RUNS,
            group: "workflow_alerts",
            labels: by_run,
            expression: sum_by(
                by_run,
                events_in_window(&Series::of(&m::WORKFLOW_RUNS), FIVE_MINUTES),
            ),
        },
        Recording {
            name: DURATION_P95,
            group: "workflow_alerts",
            labels: by_workflow,
            expression: quantile(0.95, by_workflow, &durations, FIVE_MINUTES),
        },
        Recording {
            name: AGENT_FAILURES,
            group: "workflow_alerts",
            labels: by_agent,
            expression: sum_by(by_agent, events_in_window(&agents, TEN_MINUTES)),
        },
        Recording {
            name: HTTP_ERRORS,
            group: "system_alerts",
            labels: by_service,
            expression: sum_by(by_service, events_in_window(&errors, MINUTE)),
        },
        Recording {
            name: DATABASE_ERRORS,
            group: "system_alerts",
            labels: by_service,
            expression: sum_by(by_service, events_in_window(&database, FIVE_MINUTES)),
        },
        Recording {
            name: LOST_TELEMETRY,
            group: "system_alerts",
            labels: by_signal,
            expression: sum_by(by_signal, events_in_window(&lost, FIVE_MINUTES)),
        },
    ]
}

/// Selects requests with a 5xx response.
#[must_use]
pub fn server_errors() -> Series {
    Series::count(&m::HTTP_SERVER_REQUEST_DURATION)
        .like(opentelemetry_semantic_conventions::attribute::HTTP_RESPONSE_STATUS_CODE, "5..")
}
