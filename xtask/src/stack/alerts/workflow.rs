//! Alerts on workflows, agents, approvals and objectives.

use crate::promql::{Series, sum_by};
use crate::stack::alert::Alert;
use crate::stack::recordings::{
    AGENT_FAILURES, ALERT_WORKFLOW, DURATION_P95, FAILURES, NEUTRAL, RUNS,
};
use crate::stack::slo::{BURN_FAST, BURN_SLOW};
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{STATUS, WORKFLOW_ID};
use hub_otel::semconv::metric as m;

pub(super) fn alerts() -> Vec<Alert> {
    vec![failure_rate(), duration(), agent_failures(), approvals(), burn_fast(), burn_slow()]
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
        .shown_on("workflow-overview", "Success rate")
}

fn duration() -> Alert {
    Alert::warning("HighWorkflowDuration", "workflow_alerts")
        .above(300_000.0, DURATION_P95)
        .lasting("10m")
        .annotated(
            "p95 of {{ $labels.workflow_id }} is {count} ms on {{ $labels.service_name }}",
            "The 95th percentile of a workflow's duration has been above 5 minutes for 10 minutes.",
        )
        .shown_on("workflow-overview", "p95 duration")
}

fn agent_failures() -> Alert {
    Alert::warning("AgentFailureSpike", "workflow_alerts")
        // Rounded, because `increase` extrapolates to the window: five failures can yield 5.08.
        .above(5.0, format!("round({AGENT_FAILURES})"))
        .kept("5m")
        .annotated(
            "Agent {{ $labels.agent_id }} failed {count} times in 10 minutes on {{ $labels.service_name }}",
            "One agent failed or timed out more than 5 times in 10 minutes.",
        )
        .shown_on("agent-performance", "Failure rate by agent")
}

fn approvals() -> Alert {
    let pending = Series::of(&m::WORKFLOW_APPROVAL_PENDING).not(WORKFLOW_ID, ALERT_WORKFLOW);
    Alert::warning("ApprovalBacklog", "workflow_alerts")
        .above(20.0, sum_by(&[SERVICE_NAME], pending))
        .lasting("30m")
        .annotated(
            "{count} approvals are pending on {{ $labels.service_name }}",
            "More than 20 approvals have been pending for 30 minutes.",
        )
        .shown_on("workflow-overview", "Approvals that wait")
}

fn burn_fast() -> Alert {
    Alert::critical("ErrorBudgetBurnFast", "slo_alerts")
        .above(14.4, BURN_FAST)
        .annotated(
            "The error rate of {{ $labels.slo }} is {value} times the rate that its budget allows on {{ $labels.service_name }}",
            "At the error rate of the last 5 minutes and the last hour, a budget of 30 days is used up in 2 days.",
        )
        .shown_on("slo", "Burn rate over 5 minutes and 1 hour")
}

fn burn_slow() -> Alert {
    Alert::warning("ErrorBudgetBurnSlow", "slo_alerts")
        .above(6.0, BURN_SLOW)
        .annotated(
            "The error rate of {{ $labels.slo }} is {value} times the rate that its budget allows on {{ $labels.service_name }}",
            "At the error rate of the last 30 minutes and the last 6 hours, a budget of 30 days is used up in 5 days.",
        )
        .shown_on("slo", "Burn rate over 30 minutes and 6 hours")
}
