//! Metrics of workflows, agents and approvals.

use crate::semconv::attribute::label as l;
use crate::semconv::metric::definition::{InstrumentKind, Metric, Stability};

/// Upper bounds of durations of units. From 100 ms to 10 s, each bound is at most 10 % above the
/// one below it, so that an interpolated percentile is within 10 % of the true one.
#[rustfmt::skip]
const DURATION_BUCKETS: &[f64] = &[
    10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0, 130.0,
    140.0, 150.0, 160.0, 175.0, 190.0, 200.0, 220.0, 235.0, 250.0, 275.0, 300.0, 330.0, 360.0,
    395.0, 430.0, 470.0, 500.0, 550.0, 600.0, 660.0, 720.0, 790.0, 860.0, 930.0, 1_000.0, 1_100.0,
    1_200.0, 1_300.0, 1_400.0, 1_500.0, 1_600.0, 1_750.0, 1_900.0, 2_000.0, 2_200.0, 2_350.0,
    2_500.0, 2_750.0, 3_000.0, 3_300.0, 3_600.0, 3_950.0, 4_300.0, 4_700.0, 5_000.0, 5_500.0,
    6_000.0, 6_600.0, 7_200.0, 7_900.0, 8_600.0, 9_300.0, 10_000.0, 12_000.0, 15_000.0, 20_000.0,
    25_000.0, 30_000.0, 40_000.0, 50_000.0, 60_000.0, 80_000.0, 100_000.0, 120_000.0, 150_000.0,
    180_000.0, 240_000.0, 300_000.0, 420_000.0, 600_000.0, 900_000.0, 1_800_000.0, 3_600_000.0,
    7_200_000.0,
];

/// Runs that reached a terminal state, counted once per run.
pub const WORKFLOW_RUNS: Metric = Metric {
    name: "workflow.runs.total",
    kind: InstrumentKind::Counter,
    unit: "{run}",
    description: "Workflow runs that reached a terminal state.",
    labels: &[l::WORKFLOW_ID, l::STATUS, l::TRIGGER_TYPE],
    buckets: &[],
    prometheus: "workflow_runs_total",
    stability: Stability::Fixed,
};

/// Execution time per run, summed over its segments, without waits.
pub const WORKFLOW_DURATION: Metric = Metric {
    name: "workflow.duration",
    kind: InstrumentKind::Histogram,
    unit: "ms",
    description: "Execution time per workflow run, summed over its segments, without waits.",
    labels: &[l::WORKFLOW_ID, l::STATUS],
    buckets: DURATION_BUCKETS,
    prometheus: "workflow_duration_milliseconds",
    stability: Stability::Fixed,
};

/// Workflow segments that are executing.
pub const WORKFLOWS_ACTIVE: Metric = Metric {
    name: "workflows.active",
    kind: InstrumentKind::UpDownCounter,
    unit: "{run}",
    description: "Workflow runs that are executing.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflows_active",
    stability: Stability::Fixed,
};

/// Time from the request for an approval to its decision.
pub const WORKFLOW_APPROVAL_WAIT_TIME: Metric = Metric {
    name: "workflow.approval.wait_time",
    kind: InstrumentKind::Histogram,
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
    stability: Stability::Fixed,
};

/// Logical executions of agents that ended, counted once per execution.
pub const AGENT_RUNS: Metric = Metric {
    name: "agent.runs.total",
    kind: InstrumentKind::Counter,
    unit: "{run}",
    description: "Agent executions that ended, counted once per execution regardless of retries.",
    labels: &[l::AGENT_ID, l::ACTION, l::STATUS],
    buckets: &[],
    prometheus: "agent_runs_total",
    stability: Stability::Fixed,
};

/// Duration of an agent execution, including all attempts and backoffs.
pub const AGENT_DURATION: Metric = Metric {
    name: "agent.duration",
    kind: InstrumentKind::Histogram,
    unit: "ms",
    description: "Duration of an agent execution, including all attempts and backoffs.",
    labels: &[l::AGENT_ID, l::ACTION, l::STATUS],
    buckets: DURATION_BUCKETS,
    prometheus: "agent_duration_milliseconds",
    stability: Stability::Fixed,
};

/// Agent executions that failed or timed out.
pub const AGENT_ERRORS: Metric = Metric {
    name: "agent.errors.total",
    kind: InstrumentKind::Counter,
    unit: "{error}",
    description: "Agent executions that failed or timed out, by error type.",
    labels: &[l::AGENT_ID, l::ERROR_TYPE],
    buckets: &[],
    prometheus: "agent_errors_total",
    stability: Stability::Fixed,
};

/// Failed attempts of agents that were retried.
pub const AGENT_RETRIES: Metric = Metric {
    name: "agent.retry.count",
    kind: InstrumentKind::Counter,
    unit: "{retry}",
    description: "Failed attempts of agents that were retried, by reason.",
    labels: &[l::AGENT_ID, l::REASON],
    buckets: &[],
    prometheus: "agent_retry_count_total",
    stability: Stability::Fixed,
};

/// Workflow runs that failed or timed out.
pub const WORKFLOW_ERRORS: Metric = Metric {
    name: "workflow.errors.total",
    kind: InstrumentKind::Counter,
    unit: "{error}",
    description: "Workflow runs that failed or timed out, by error type.",
    labels: &[l::WORKFLOW_ID, l::ERROR_TYPE],
    buckets: &[],
    prometheus: "workflow_errors_total",
    stability: Stability::Stable,
};

/// Age of the oldest run that is executing, without its waits for approvals. Zero while none is.
pub const WORKFLOW_RUN_OLDEST_AGE: Metric = Metric {
    name: "workflow.run.oldest_age",
    kind: InstrumentKind::Gauge,
    unit: "s",
    description: "Age of the oldest segment of a run that is executing in this process, without its waits for approvals; 0 if there is none.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_run_oldest_age_seconds",
    stability: Stability::Stable,
};

/// Time from the creation of a run until it started.
pub const WORKFLOW_QUEUE_WAIT_TIME: Metric = Metric {
    name: "workflow.queue.wait_time",
    kind: InstrumentKind::Histogram,
    unit: "ms",
    description: "Time from the creation of a workflow run until it started, once per run.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[
        5.0,
        10.0,
        25.0,
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
        300_000.0,
        900_000.0,
        3_600_000.0,
    ],
    prometheus: "workflow_queue_wait_time_milliseconds",
    stability: Stability::Stable,
};

/// Runs that are created and have not started.
pub const WORKFLOW_QUEUE_PENDING: Metric = Metric {
    name: "workflow.queue.pending",
    kind: InstrumentKind::UpDownCounter,
    unit: "{run}",
    description: "Workflow runs that are created and have not started, by the application's last report.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_queue_pending",
    stability: Stability::Stable,
};

/// Age of the oldest run that is created and has not started.
pub const WORKFLOW_QUEUE_OLDEST_AGE: Metric = Metric {
    name: "workflow.queue.oldest_age",
    kind: InstrumentKind::Gauge,
    unit: "s",
    description: "Age of the oldest workflow run that is created and has not started, by the application's last report.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_queue_oldest_age_seconds",
    stability: Stability::Stable,
};

/// Approvals that are waiting for a decision.
pub const WORKFLOW_APPROVAL_PENDING: Metric = Metric {
    name: "workflow.approval.pending",
    kind: InstrumentKind::UpDownCounter,
    unit: "{approval}",
    description: "Approvals that wait for a decision in this process, or by the application's last report.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_approval_pending",
    stability: Stability::Stable,
};

/// Age of the oldest approval that is waiting for a decision.
pub const WORKFLOW_APPROVAL_OLDEST_AGE: Metric = Metric {
    name: "workflow.approval.oldest_age",
    kind: InstrumentKind::Gauge,
    unit: "s",
    description: "Age of the oldest approval that waits in this process, or by the application's last report.",
    labels: &[l::WORKFLOW_ID],
    buckets: &[],
    prometheus: "workflow_approval_oldest_age_seconds",
    stability: Stability::Stable,
};
