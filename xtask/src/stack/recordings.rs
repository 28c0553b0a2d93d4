//! Recording rules that alerts use: numbers of events in a window, per service.

use crate::promql::{FIVE_MINUTES, MINUTE, Series, TEN_MINUTES, events_in_window, sum_by};
use crate::stack::increments;
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
/// 95th percentile of the durations of runs in the last half an hour, in milliseconds.
pub const DURATION_P95: &str = "workflow:duration_milliseconds:p95_30m";
/// 95th percentile of the times that runs were queued in the last quarter of an hour, in
/// milliseconds.
pub const QUEUE_WAIT_P95: &str = "workflow:queue_wait_time_milliseconds:p95_15m";
/// Agent executions that failed in the last ten minutes, if they are at least one percent.
pub const AGENT_FAILURES: &str = "agent:failures:increase10m";
/// Responses with a 5xx status in the last minute.
pub const HTTP_ERRORS: &str = "http_server:errors:increase1m";
/// Database operations in the last five minutes that failed for lack of a connection, if they are
/// at least one percent.
pub const DATABASE_ERRORS: &str = "db_client:connection_errors:increase5m";
/// Telemetry items lost in the last five minutes.
pub const LOST_TELEMETRY: &str = "hub_otel:lost_items:increase5m";

/// Returns the recording rules of windows of minutes.
pub(super) fn recordings() -> Vec<Recording> {
    let by_run: &[&str] = &[SERVICE_NAME, WORKFLOW_ID, STATUS];
    let by_workflow: &[&str] = &[SERVICE_NAME, WORKFLOW_ID];
    let by_agent: &[&str] = &[SERVICE_NAME, AGENT_ID];
    let by_signal: &[&str] = &[SERVICE_NAME, SIGNAL];
    let by_service: &[&str] = &[SERVICE_NAME];
    let durations = increments::recorded(increments::RUN_BUCKETS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let queued = increments::recorded(increments::QUEUE_BUCKETS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let executions = Series::of(&m::AGENT_RUNS).not(AGENT_ID, ALERT_AGENT);
    let failed = Series::of(&m::AGENT_RUNS).like(STATUS, FAILURES).not(AGENT_ID, ALERT_AGENT);
    let errors = server_errors();
    let operations = Series::count(&m::DB_CLIENT_OPERATION_DURATION);
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
            group: increments::GROUP,
            labels: by_workflow,
            expression: increments::quantile(0.95, by_workflow, &durations, "30m"),
        },
        Recording {
            name: QUEUE_WAIT_P95,
            group: increments::GROUP,
            labels: by_workflow,
            expression: increments::quantile(0.95, by_workflow, &queued, "15m"),
        },
        Recording {
            name: AGENT_FAILURES,
            group: "workflow_alerts",
            labels: by_agent,
            expression: enough(
                &sum_by(by_agent, events_in_window(&failed, TEN_MINUTES)),
                &sum_by(by_agent, events_in_window(&executions, TEN_MINUTES)),
            ),
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
            expression: enough(
                &sum_by(by_service, events_in_window(&database, FIVE_MINUTES)),
                &sum_by(by_service, events_in_window(&operations, FIVE_MINUTES)),
            ),
        },
        Recording {
            name: LOST_TELEMETRY,
            group: "system_alerts",
            labels: by_signal,
            expression: sum_by(by_signal, events_in_window(&lost, FIVE_MINUTES)),
        },
    ]
}

/// Keeps a number of failures that is at least one percent of all events: two in 100,000 are noise.
fn enough(failures: &str, all: &str) -> String {
    format!("{failures} and {failures} >= 0.01 * {all}")
}

/// Selects requests with a 5xx response.
#[must_use]
pub fn server_errors() -> Series {
    Series::count(&m::HTTP_SERVER_REQUEST_DURATION)
        .like(opentelemetry_semantic_conventions::attribute::HTTP_RESPONSE_STATUS_CODE, "5..")
}
