//! Alerts on workflows, agents, approvals and objectives.

use crate::promql::{INSTANCE, JOB, Series, max_by, sum_by};
use crate::stack::adaptive;
use crate::stack::alert::Alert;
use crate::stack::liveness::SILENT;
use crate::stack::recordings::{
    AGENT_FAILURES, ALERT_WORKFLOW, DURATION_P95, FAILURES, NEUTRAL, QUEUE_WAIT_P95, RUNS,
};
use crate::stack::slo::{BURN_FAST, BURN_LONG, BURN_SLOW};
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{STATUS, WORKFLOW_ID};
use hub_otel::semconv::metric as m;

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        failure_rate(),
        failing(),
        last_run_failed(),
        duration(),
        stuck(),
        queued(),
        agent_failures(),
        agent_failing(),
        approvals(),
        burn_fast(),
        burn_slow(),
        burn_long(),
    ]
}

fn failure_rate() -> Alert {
    let runs =
        || Series::own(RUNS, crate::promql::Origin::Service).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let failed = sum_by(&[SERVICE_NAME], runs().like(STATUS, FAILURES));
    let counted = sum_by(&[SERVICE_NAME], runs().unlike(STATUS, NEUTRAL));
    Alert::critical("WorkflowFailureRate", "workflow_alerts")
        .above(10.0, format!("100 * {failed} / ({counted} >= 5)"))
        .kept("2m")
        .annotated(
            "Workflow failure rate {value} % on {{ $labels.service_name }}",
            "More than 10 % of the workflow runs of the last 5 minutes failed or timed out (of at least 5 runs).",
        )
        .unit("percent")
}

fn duration() -> Alert {
    // Runs that ended, and runs that have executed for 10 minutes.
    Alert::warning("HighWorkflowDuration", "workflow_alerts")
        .above(300_000.0, format!("1000 * ({} >= 600) or {DURATION_P95}", executing()))
        .lasting("10m")
        .annotated(
            "Runs of {{ $labels.workflow_id }} take {count} ms on {{ $labels.service_name }}",
            "For 10 minutes, the 95th percentile of a workflow's duration over half an hour has been above 5 minutes, or one run has been executing for more than 10 minutes, waits for approvals not counted.",
        )
        .unit("ms")
}

/// Age of the oldest run in seconds, without its waits for approvals.
fn executing() -> String {
    let age = Series::of(&m::WORKFLOW_RUN_OLDEST_AGE).not(WORKFLOW_ID, ALERT_WORKFLOW);
    max_by(&[SERVICE_NAME, WORKFLOW_ID], age)
}

fn stuck() -> Alert {
    Alert::warning("WorkflowStuck", "workflow_alerts")
        .above(3_600.0, executing())
        .lasting("1m")
        .annotated(
            "A run of {{ $labels.workflow_id }} has executed for {count} s on {{ $labels.service_name }}",
            "One run has been executing for more than an hour, waits for approvals not counted.",
        )
        .unit("s")
}

fn queued() -> Alert {
    let age = Series::of(&m::WORKFLOW_QUEUE_OLDEST_AGE).not(WORKFLOW_ID, ALERT_WORKFLOW);
    // Prometheus returns the last value of an instance that has ended for five minutes.
    let ended = format!("({SILENT} or {} == 0)", Series::of(&m::INSTANCE_UP));
    let age = format!("{age} unless on ({JOB}, {INSTANCE}) {ended}");
    let age = max_by(&[SERVICE_NAME, WORKFLOW_ID], age);
    Alert::warning("WorkflowQueued", "workflow_alerts")
        // Runs that wait, also if none starts, and runs that started.
        .above(60.0, format!("{age} >= 60 or {QUEUE_WAIT_P95} / 1000"))
        .lasting("5m")
        .annotated(
            "Runs of {{ $labels.workflow_id }} wait {count} s for their start on {{ $labels.service_name }}",
            "For 5 minutes, the oldest run that has not started has waited for more than 1 minute, or the 95th percentile of the time from the creation of a run until its start over a quarter of an hour has been above 1 minute.",
        )
        .unit("s")
}

fn failing() -> Alert {
    Alert::critical("WorkflowFailing", adaptive::GROUP)
        .above(adaptive::HALF, adaptive::WORKFLOW)
        .annotated(
            "{value} % of the runs of {{ $labels.workflow_id }} fail on {{ $labels.service_name }}",
            "Half or more of the runs of one workflow failed or timed out, of at least 3 in 15 minutes, 1 hour or 12 hours.",
        )
        .unit("percent")
}

fn last_run_failed() -> Alert {
    Alert::warning("WorkflowLastRunFailed", adaptive::GROUP)
        .above(0.5, adaptive::ONLY_FAILURES)
        // A run that is repeated by hand and succeeds within the hour is not reported.
        .lasting("60m")
        .annotated(
            "{{ $labels.workflow_id }} has not succeeded for a day on {{ $labels.service_name }}: {count} failed",
            "For an hour, all runs of one workflow in the last 26 hours have been failures, and they are too few for WorkflowFailing.",
        )
}

fn agent_failing() -> Alert {
    Alert::warning("AgentFailing", adaptive::GROUP)
        .above(adaptive::HALF, adaptive::AGENT)
        .annotated(
            "{value} % of the executions of {{ $labels.agent_id }} fail on {{ $labels.service_name }}",
            "Half or more of the executions of one agent failed or timed out, of at least 5 in 15 minutes, 1 hour or 12 hours.",
        )
        .unit("percent")
}

fn agent_failures() -> Alert {
    Alert::warning("AgentFailureSpike", "workflow_alerts")
        // Rounded, because `increase` extrapolates to the window: five failures can yield 5.08.
        .above(5.0, format!("round({AGENT_FAILURES})"))
        .kept("5m")
        .annotated(
            "Agent {{ $labels.agent_id }} failed {count} times in 10 minutes on {{ $labels.service_name }}",
            "One agent failed or timed out more than 5 times in 10 minutes, in at least 1 % of its executions.",
        )
}

fn approvals() -> Alert {
    let pending = Series::of(&m::WORKFLOW_APPROVAL_PENDING).not(WORKFLOW_ID, ALERT_WORKFLOW);
    // Prometheus returns the last value of a killed instance for five minutes.
    let pending = format!("{pending} unless on ({JOB}, {INSTANCE}) {SILENT}");
    Alert::warning("ApprovalBacklog", "workflow_alerts")
        .above(20.0, sum_by(&[SERVICE_NAME], pending))
        .lasting("30m")
        .annotated(
            "{count} approvals are pending on {{ $labels.service_name }}",
            "More than 20 approvals have been pending for 30 minutes.",
        )
}

fn burn_fast() -> Alert {
    Alert::critical("ErrorBudgetBurnFast", "slo_alerts")
        .above(14.4, BURN_FAST)
        .annotated(
            "The error rate of {{ $labels.slo }} is {value} times the rate that its budget allows on {{ $labels.service_name }}",
            "At the error rate of the last 5 minutes and the last hour, a budget of 30 days is used up in 2 days, one of 7 days in 12 hours.",
        )
}

fn burn_slow() -> Alert {
    Alert::warning("ErrorBudgetBurnSlow", "slo_alerts")
        .above(6.0, BURN_SLOW)
        .annotated(
            "The error rate of {{ $labels.slo }} is {value} times the rate that its budget allows on {{ $labels.service_name }}",
            "At the error rate of the last 30 minutes and the last 6 hours, a budget of 30 days is used up in 5 days, one of 7 days in 28 hours.",
        )
}

fn burn_long() -> Alert {
    Alert::warning("ErrorBudgetBurnLong", "slo_alerts")
        .above(1.0, BURN_LONG)
        .lasting("60m")
        .annotated(
            "The error rate of {{ $labels.slo }} has been {value} times the rate that its budget allows for days on {{ $labels.service_name }}",
            "At the error rate of the last 6 hours and the last 3 days, the objective is missed at the end of its window.",
        )
}
