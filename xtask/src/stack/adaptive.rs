//! Failure ratios over windows that adapt to the traffic: the shortest of 15 minutes, one hour and
//! twelve hours in which enough events ended. An hourly job is seen as well as a busy route.

use crate::promql::{Series, sum_by};
use crate::stack::increments::{self, counted, recorded};
use crate::stack::recordings::{ALERT_AGENT, ALERT_WORKFLOW, FAILURES, NEUTRAL, Recording};
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, STATUS, WORKFLOW_ID};
use opentelemetry_semantic_conventions::attribute as s;

/// Percentage of the runs of a workflow that failed.
pub const WORKFLOW: &str = "workflow:failures:percent";
/// Percentage of the executions of an agent that failed.
pub const AGENT: &str = "agent:failures:percent";
/// Percentage of the responses of a route that are 5xx.
pub const ROUTE: &str = "http_server:failures:percent";

/// Rule group and file.
pub const GROUP: &str = "failing_alerts";

const WINDOWS: [&str; 3] = ["15m", "1h", "12h"];

pub(super) fn recordings() -> Vec<Recording> {
    let runs = recorded(increments::RUNS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let executions = recorded(increments::AGENT_RUNS).not(AGENT_ID, ALERT_AGENT);
    let requests = recorded(increments::REQUESTS);
    let status = s::HTTP_RESPONSE_STATUS_CODE;
    let recording = |name, labels, minimum, bad: Series, all: Series| Recording {
        name,
        group: GROUP,
        labels,
        expression: percent(labels, minimum, &bad, &all),
    };
    vec![
        recording(
            WORKFLOW,
            &[SERVICE_NAME, WORKFLOW_ID],
            3,
            runs.clone().like(STATUS, FAILURES),
            runs.unlike(STATUS, NEUTRAL),
        ),
        recording(
            AGENT,
            &[SERVICE_NAME, AGENT_ID],
            5,
            executions.clone().like(STATUS, FAILURES),
            executions.unlike(STATUS, NEUTRAL),
        ),
        recording(
            ROUTE,
            &[SERVICE_NAME, s::HTTP_ROUTE],
            5,
            requests.clone().like(status, "5.."),
            requests,
        ),
    ]
}

fn percent(labels: &[&str], minimum: u32, bad: &Series, all: &Series) -> String {
    WINDOWS
        .map(|window| {
            let bad = sum_by(labels, counted(bad, window));
            let all = sum_by(labels, counted(all, window));
            format!("100 * {bad} / ({all} >= {minimum})")
        })
        .join(" or ")
}
