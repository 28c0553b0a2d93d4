//! Recording rules of the dashboards: events per minute, without the labels that no panel shows.
//!
//! A panel over a day reads one series per agent and bucket instead of one per instance, action,
//! status and bucket. Each minute is counted once, so that sums over any range are exact, also for
//! series that were created inside of it and for counters that were reset.

pub mod gen_ai;

use crate::promql::{LE, Origin, Series, events_per_minute, sum_by, values_per_minute};
use crate::stack::rule::Rule;
use hub_otel::semconv::attribute::label::{
    AGENT_ID, DECISION, ERROR_TYPE, REASON, STATUS, TRIGGER_TYPE, WORKFLOW_ID,
};
use hub_otel::semconv::attribute::{self as a, SERVICE_NAME};
use hub_otel::semconv::metric as m;
use opentelemetry_semantic_conventions::attribute as s;

/// Rule group and file.
pub const GROUP: &str = "increments";

/// Events of the last minute.
#[derive(Debug, Clone)]
pub struct Increment {
    /// Name of the recorded series.
    pub name: &'static str,
    /// Labels of the recorded series.
    pub labels: &'static [&'static str],
    /// Counter, or part of a histogram.
    pub of: Series,
    /// The same events under other names, counted for a service without the former series.
    pub instead: Option<Series>,
}

impl Increment {
    /// Returns the increment of the native histogram instead of the classic buckets, `None` for
    /// other series.
    #[must_use]
    pub fn native(&self) -> Option<NativeIncrement> {
        let labels: Vec<&str> = self.labels.iter().copied().filter(|label| *label != LE).collect();
        (labels.len() < self.labels.len()).then(|| NativeIncrement {
            name: recorded(self.name).as_native().to_string(),
            labels,
            of: self.of.as_native(),
            instead: self.instead.as_ref().map(Series::as_native),
        })
    }
}

/// Distribution of the values of the last minute, as a native histogram.
#[derive(Debug, Clone)]
pub struct NativeIncrement {
    /// Name of the recorded series.
    pub name: String,
    /// Labels of the recorded series.
    pub labels: Vec<&'static str>,
    of: Series,
    instead: Option<Series>,
}

/// Runs that ended, by workflow, status and trigger.
pub const RUNS: &str = "workflow:runs:increase1m";
/// Buckets of the durations of runs, by workflow.
pub const RUN_BUCKETS: &str = "workflow:duration_milliseconds_bucket:increase1m";
/// Sum of the durations of runs, by workflow.
pub const RUN_TIME: &str = "workflow:duration_milliseconds_sum:increase1m";
/// Runs that failed or timed out, by workflow and error type.
pub const RUN_ERRORS: &str = "workflow:errors:increase1m";
/// Buckets of the waits for approvals, by workflow and decision.
pub const APPROVAL_BUCKETS: &str = "workflow:approval_wait_time_milliseconds_bucket:increase1m";
/// Buckets of the time from the creation of a run until it started, by workflow.
pub const QUEUE_BUCKETS: &str = "workflow:queue_wait_time_milliseconds_bucket:increase1m";
/// Agent executions that ended, by agent and status.
pub const AGENT_RUNS: &str = "agent:runs:increase1m";
/// Buckets of the durations of agent executions, by agent.
pub const AGENT_BUCKETS: &str = "agent:duration_milliseconds_bucket:increase1m";
/// Sum of the durations of agent executions, by agent.
pub const AGENT_TIME: &str = "agent:duration_milliseconds_sum:increase1m";
/// Agent executions that failed or timed out, by agent and error type.
pub const AGENT_ERRORS: &str = "agent:errors:increase1m";
/// Retried attempts, by agent and reason.
pub const AGENT_RETRIES: &str = "agent:retries:increase1m";
/// Requests to the service, by route and status code.
pub const REQUESTS: &str = "http_server:requests:increase1m";
/// Buckets of the durations of requests to the service, by route.
pub const REQUEST_BUCKETS: &str = "http_server:duration_seconds_bucket:increase1m";
/// Requests of the service to others, by server, status code and error type.
pub const CALLS: &str = "http_client:requests:increase1m";
/// Buckets of the durations of requests of the service to others, by server.
pub const CALL_BUCKETS: &str = "http_client:duration_seconds_bucket:increase1m";
/// Database operations, by operation and error type.
pub const OPERATIONS: &str = "db_client:operations:increase1m";
/// Buckets of the durations of database operations, by operation.
pub const OPERATION_BUCKETS: &str = "db_client:duration_seconds_bucket:increase1m";

/// Returns all increments.
#[must_use]
pub fn all() -> Vec<Increment> {
    let of = |name, labels, of| Increment { name, labels, of, instead: None };
    let mut all = vec![
        of(RUNS, &[SERVICE_NAME, WORKFLOW_ID, STATUS, TRIGGER_TYPE], Series::of(&m::WORKFLOW_RUNS)),
        of(RUN_BUCKETS, &[SERVICE_NAME, WORKFLOW_ID, LE], Series::buckets(&m::WORKFLOW_DURATION)),
        of(RUN_TIME, &[SERVICE_NAME, WORKFLOW_ID], Series::sum(&m::WORKFLOW_DURATION)),
        of(RUN_ERRORS, &[SERVICE_NAME, WORKFLOW_ID, ERROR_TYPE], Series::of(&m::WORKFLOW_ERRORS)),
        of(
            APPROVAL_BUCKETS,
            &[SERVICE_NAME, WORKFLOW_ID, DECISION, LE],
            Series::buckets(&m::WORKFLOW_APPROVAL_WAIT_TIME),
        ),
        of(
            QUEUE_BUCKETS,
            &[SERVICE_NAME, WORKFLOW_ID, LE],
            Series::buckets(&m::WORKFLOW_QUEUE_WAIT_TIME),
        ),
        of(AGENT_RUNS, &[SERVICE_NAME, AGENT_ID, STATUS], Series::of(&m::AGENT_RUNS)),
        of(AGENT_BUCKETS, &[SERVICE_NAME, AGENT_ID, LE], Series::buckets(&m::AGENT_DURATION)),
        of(AGENT_TIME, &[SERVICE_NAME, AGENT_ID], Series::sum(&m::AGENT_DURATION)),
        of(AGENT_ERRORS, &[SERVICE_NAME, AGENT_ID, ERROR_TYPE], Series::of(&m::AGENT_ERRORS)),
        of(AGENT_RETRIES, &[SERVICE_NAME, AGENT_ID, REASON], Series::of(&m::AGENT_RETRIES)),
        of(
            REQUESTS,
            &[SERVICE_NAME, s::HTTP_ROUTE, s::HTTP_RESPONSE_STATUS_CODE],
            Series::count(&m::HTTP_SERVER_REQUEST_DURATION),
        ),
        of(
            REQUEST_BUCKETS,
            &[SERVICE_NAME, s::HTTP_ROUTE, LE],
            Series::buckets(&m::HTTP_SERVER_REQUEST_DURATION),
        ),
        of(
            CALLS,
            &[SERVICE_NAME, s::SERVER_ADDRESS, s::HTTP_RESPONSE_STATUS_CODE, a::ERROR_TYPE],
            Series::count(&m::HTTP_CLIENT_REQUEST_DURATION),
        ),
        of(
            CALL_BUCKETS,
            &[SERVICE_NAME, s::SERVER_ADDRESS, LE],
            Series::buckets(&m::HTTP_CLIENT_REQUEST_DURATION),
        ),
        of(
            OPERATIONS,
            &[SERVICE_NAME, s::DB_OPERATION_NAME, a::ERROR_TYPE],
            Series::count(&m::DB_CLIENT_OPERATION_DURATION),
        ),
        of(
            OPERATION_BUCKETS,
            &[SERVICE_NAME, s::DB_OPERATION_NAME, LE],
            Series::buckets(&m::DB_CLIENT_OPERATION_DURATION),
        ),
    ];
    all.extend(gen_ai::increments());
    all
}

/// Returns the recording rules of all increments.
#[must_use]
pub fn rules() -> Vec<Rule> {
    all()
        .iter()
        .flat_map(|it| {
            let classic = either(events_per_minute, it.labels, &it.of, it.instead.as_ref());
            let native = it.native().map(|it| {
                let expression = either(values_per_minute, &it.labels, &it.of, it.instead.as_ref());
                Rule::record(it.name, expression)
            });
            std::iter::once(Rule::record(it.name, classic)).chain(native)
        })
        .collect()
}

/// Returns the sum of the increments of a series, or of those of another one in its place.
fn either(
    increments: fn(&Series) -> String,
    labels: &[&str],
    series: &Series,
    instead: Option<&Series>,
) -> String {
    let sum = |series| sum_by(labels, increments(series));
    let instead = instead.map(|instead| format!(" or {}", sum(instead))).unwrap_or_default();
    sum(series) + &instead
}

/// Selects a recorded series.
#[must_use]
pub fn recorded(name: &str) -> Series {
    Series::own(name, Origin::Prometheus)
}

/// Returns an expression for the number of events that a recorded series counted in a range.
#[must_use]
pub fn counted(series: &Series, range: &str) -> String {
    format!("sum_over_time({series}[{range}])")
}

/// Returns a quantile over a range from recorded buckets, else from the recorded native histogram,
/// by labels. A series without events is absent, not NaN.
#[must_use]
pub fn quantile(q: f64, labels: &[&str], buckets: &Series, range: &str) -> String {
    let by_bound: Vec<&str> = labels.iter().copied().chain([LE]).collect();
    let classic = sum_by(&by_bound, counted(buckets, range));
    let native = sum_by(labels, counted(&buckets.as_native(), range));
    format!("histogram_quantile({q}, {classic}) >= 0 or histogram_quantile({q}, {native}) >= 0")
}
