//! Alerts on what the service is there for: workflows, agents, approvals, and the objectives.

use super::{Alert, Severity, Trouble};
use crate::promql::{Series, sum_by};
use crate::stack::recordings::{AGENT_FAILURES, ALERT_WORKFLOW, DURATION_P95, FAILURES, NEUTRAL, RUNS};
use crate::stack::slo::{BURN_FAST, BURN_SLOW};
use hub_otel::contract::attribute::SERVICE_NAME;
use hub_otel::contract::attribute::label::{STATUS, WORKFLOW_ID};
use hub_otel::contract::metric as m;

pub(super) fn alerts() -> Vec<Alert> {
    vec![failure_rate(), duration(), agent_failures(), approvals(), burn_fast(), burn_slow()]
}

fn failure_rate() -> Alert {
    let runs = || Series::own(RUNS, crate::promql::Origin::Service).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let failed = sum_by(&[SERVICE_NAME], runs().like(STATUS, FAILURES));
    let counted = sum_by(&[SERVICE_NAME], runs().unlike(STATUS, NEUTRAL));
    Alert {
        name: "WorkflowFailureRate",
        uid: "workflow_failure_rate",
        group: "workflow_alerts",
        severity: Severity::Critical,
        query: format!("100 * {failed} / ({counted} >= 5)"),
        trouble: Trouble::Above,
        threshold: Some(10.0),
        hold: "0s",
        keep: Some("2m"),
        line: "Workflow failure rate {value} % on {{ $labels.service_name }}",
        description: "More than 10 % of the workflow runs of the last 5 minutes failed or timed out (of at least 5 runs).",
        panel: ("workflow-overview", "Success rate"),
    }
}

fn duration() -> Alert {
    Alert {
        name: "HighWorkflowDuration",
        uid: "high_workflow_duration",
        group: "workflow_alerts",
        severity: Severity::Warning,
        query: DURATION_P95.to_owned(),
        trouble: Trouble::Above,
        threshold: Some(300_000.0),
        hold: "10m",
        keep: None,
        line: "p95 of {{ $labels.workflow_id }} is {count} ms on {{ $labels.service_name }}",
        description: "The 95th percentile of a workflow's duration has been above 5 minutes for 10 minutes.",
        panel: ("workflow-overview", "p95 duration"),
    }
}

fn agent_failures() -> Alert {
    Alert {
        name: "AgentFailureSpike",
        uid: "agent_failure_spike",
        group: "workflow_alerts",
        severity: Severity::Warning,
        // Rounded: five failures look like 5.08 to `increase`, which fills up the window.
        query: format!("round({AGENT_FAILURES})"),
        trouble: Trouble::Above,
        threshold: Some(5.0),
        hold: "0s",
        keep: Some("5m"),
        line: "Agent {{ $labels.agent_id }} failed {count} times in 10 minutes on {{ $labels.service_name }}",
        description: "One agent failed or timed out more than 5 times in 10 minutes.",
        panel: ("agent-performance", "Failure rate by agent"),
    }
}

fn approvals() -> Alert {
    let pending = Series::of(&m::WORKFLOW_APPROVAL_PENDING).not(WORKFLOW_ID, ALERT_WORKFLOW);
    Alert {
        name: "ApprovalBacklog",
        uid: "approval_backlog",
        group: "workflow_alerts",
        severity: Severity::Warning,
        query: sum_by(&[SERVICE_NAME], pending),
        trouble: Trouble::Above,
        threshold: Some(20.0),
        hold: "30m",
        keep: None,
        line: "{count} approvals wait on {{ $labels.service_name }}",
        description: "More than 20 approvals have been waiting for a decision for 30 minutes.",
        panel: ("workflow-overview", "Approvals that wait"),
    }
}

fn burn_fast() -> Alert {
    Alert {
        name: "ErrorBudgetBurnFast",
        uid: "error_budget_burn_fast",
        group: "slo_alerts",
        severity: Severity::Critical,
        query: BURN_FAST.to_owned(),
        trouble: Trouble::Above,
        threshold: Some(14.4),
        hold: "0s",
        keep: None,
        line: "The error budget of {{ $labels.slo }} burns {value} times too fast on {{ $labels.service_name }}",
        description: "Over 5 minutes and over 1 hour errors come so fast that a budget of 30 days is gone in 2 days.",
        panel: ("slo", "Burn rate over 5 minutes and 1 hour"),
    }
}

fn burn_slow() -> Alert {
    Alert {
        name: "ErrorBudgetBurnSlow",
        uid: "error_budget_burn_slow",
        group: "slo_alerts",
        severity: Severity::Warning,
        query: BURN_SLOW.to_owned(),
        trouble: Trouble::Above,
        threshold: Some(6.0),
        hold: "0s",
        keep: None,
        line: "The error budget of {{ $labels.slo }} burns {value} times too fast on {{ $labels.service_name }}",
        description: "Over 30 minutes and over 6 hours errors come so fast that a budget of 30 days is gone in 5 days.",
        panel: ("slo", "Burn rate over 30 minutes and 6 hours"),
    }
}
