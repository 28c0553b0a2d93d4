//! Dashboard Workflow Overview: runs, durations, failures and pending approvals of workflows.

use super::query::{one_of, or_none, per_minute, same, selected, spans};
use crate::promql::{LE, Origin, POINT, SHOWN, Series, events_in_window, max_by, quantile, sum_by};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::recordings::NEUTRAL;
use hub_otel::semconv::attribute::label::{
    DECISION, ERROR_TYPE, STATUS, TRIGGER_TYPE, WORKFLOW_ID,
};
use hub_otel::semconv::{attribute as a, metric as m, span, status};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "workflow-overview",
        title: "Workflow Overview",
        description: "Runs, durations, failures and pending approvals of workflows.",
        from: "now-1h",
        variables: &["service", "workflow"],
        panels: vec![
            by_status(),
            success_rate(),
            duration(),
            active(),
            failed_runs(),
            failures(),
            slowest(),
            approvals(),
            approval_wait(),
            active_by_workflow(),
            triggers(),
            traced(),
        ],
    }
}

fn workflow_spans(conditions: &str) -> String {
    spans(span::WORKFLOW_EXECUTE, conditions)
}

fn by_status() -> Panel {
    let runs = sum_by(&[STATUS], events_in_window(&selected(Series::of, &m::WORKFLOW_RUNS), POINT));
    let panel = Panel::lines("Workflows per minute by status", "short")
        .about("Runs that ended per minute, by status.")
        .query(Mode::Range, per_minute(&runs), "{{status}}")
        .traces(workflow_spans(
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_STATUS, STATUS)),
        ))
        .stacked();
    [
        (status::SUCCESS, GREEN),
        (status::FAILED, RED),
        (status::TIMED_OUT, YELLOW),
        (status::CANCELLED, "blue"),
        (status::REJECTED, "purple"),
    ]
    .into_iter()
    .fold(panel, |panel, (status, color)| panel.colored(status, color))
}

fn success_rate() -> Panel {
    let runs = || selected(Series::of, &m::WORKFLOW_RUNS);
    let good = sum_by(&[], events_in_window(&runs().is(STATUS, status::SUCCESS), SHOWN));
    let counted = sum_by(&[], events_in_window(&runs().unlike(STATUS, NEUTRAL), SHOWN));
    Panel::number("Success rate", "percent")
        .about("Runs that succeeded, relative to runs that succeeded, failed or timed out, in the time range. The target is 99 %.")
        .query(Mode::Instant, format!("100 * {good} / ({counted} > 0)"), "success")
        .steps(RED, &[(YELLOW, 95.0), (GREEN, 99.0)])
        .decimals(2)
        .traces(workflow_spans(&(one_of(a::WORKFLOW_ID, "workflow") + " && status = error")))
}

fn duration() -> Panel {
    let p95 = quantile(0.95, &[], &selected(Series::buckets, &m::WORKFLOW_DURATION), SHOWN);
    Panel::gauge("p95 duration", "ms", (0.0, 600_000.0))
        .about("95th percentile of the execution time of runs in the time range, without waits for approvals. Red above 5 minutes.")
        .query(Mode::Instant, p95, "p95")
        .steps(GREEN, &[(YELLOW, 120_000.0), (RED, 300_000.0)])
        .traces(workflow_spans(&one_of(a::WORKFLOW_ID, "workflow")))
}

fn active() -> Panel {
    Panel::number("Active workflows", "short")
        .about("Runs that are executing. Runs that wait for an approval are not counted.")
        .query(Mode::Instant, sum_by(&[], selected(Series::of, &m::WORKFLOWS_ACTIVE)), "active")
}

fn failed_runs() -> Panel {
    let runs = selected(Series::of, &m::WORKFLOW_RUNS);
    Panel::number("Runs by status", "short")
        .about("Runs that ended in the time range, by status.")
        .query(Mode::Instant, sum_by(&[STATUS], events_in_window(&runs, SHOWN)), "{{status}}")
        .sized(6, 4)
        .decimals(0)
        .traces(workflow_spans(
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_STATUS, STATUS)),
        ))
}

fn failures() -> Panel {
    let errors =
        sum_by(&[ERROR_TYPE], events_in_window(&selected(Series::of, &m::WORKFLOW_ERRORS), SHOWN));
    Panel::bars("Failures by error type", "short")
        .about("Runs that failed or timed out in the time range, by the stable identifier of the error.")
        .query(Mode::Instant, or_none(&errors, ERROR_TYPE), "{{error_type}}")
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
        .traces(workflow_spans(&(one_of(a::WORKFLOW_ID, "workflow") + &same(a::ERROR_TYPE, ERROR_TYPE))))
}

fn slowest() -> Panel {
    let p95 =
        quantile(0.95, &[WORKFLOW_ID], &selected(Series::buckets, &m::WORKFLOW_DURATION), SHOWN);
    Panel::bars("Top 10 slowest workflows", "ms")
        .about("The ten workflows with the highest 95th percentile of the execution time in the time range.")
        .query(Mode::Instant, format!("topk(10, {p95})"), "{{workflow_id}}")
        .steps(GREEN, &[(YELLOW, 120_000.0), (RED, 300_000.0)])
        .traces(workflow_spans(&same(a::WORKFLOW_ID, WORKFLOW_ID)))
}

fn approvals() -> Panel {
    Panel::lines("Approvals that wait", "short")
        .about("Number of pending approvals, and age of the oldest one (right axis).")
        .query(
            Mode::Range,
            sum_by(&[], selected(Series::of, &m::WORKFLOW_APPROVAL_PENDING)),
            "waiting",
        )
        .query(
            Mode::Range,
            max_by(&[], selected(Series::of, &m::WORKFLOW_APPROVAL_OLDEST_AGE)),
            "age of the oldest",
        )
        .query_unit("B", "s")
        .right_axis("B")
        .traces(spans(span::WORKFLOW_APPROVAL, &one_of(a::WORKFLOW_ID, "workflow")))
}

fn approval_wait() -> Panel {
    let waits = selected(Series::buckets, &m::WORKFLOW_APPROVAL_WAIT_TIME);
    Panel::bars("Approval wait p95 by decision", "ms")
        .about("95th percentile of the time from the request for an approval to its decision, in the time range.")
        .query(Mode::Instant, quantile(0.95, &[DECISION], &waits, SHOWN), "{{decision}}")
        .traces(spans(
            span::WORKFLOW_APPROVAL,
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_APPROVAL_DECISION, DECISION)),
        ))
}

fn active_by_workflow() -> Panel {
    Panel::lines("Active workflows by workflow", "short")
        .about("Runs that are executing, by workflow. A line that never falls indicates a run that hangs.")
        .query(
            Mode::Range,
            sum_by(&[WORKFLOW_ID], selected(Series::of, &m::WORKFLOWS_ACTIVE)),
            "{{workflow_id}}",
        )
        .traces(workflow_spans(&same(a::WORKFLOW_ID, WORKFLOW_ID)))
}

fn triggers() -> Panel {
    let runs =
        sum_by(&[TRIGGER_TYPE], events_in_window(&selected(Series::of, &m::WORKFLOW_RUNS), SHOWN));
    Panel::pie("Runs by trigger", "short")
        .about("Runs that ended in the time range, by trigger.")
        .query(Mode::Instant, runs, "{{trigger_type}}")
        .traces(workflow_spans(
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_TRIGGER, TRIGGER_TYPE)),
        ))
}

/// Span metrics generated by Tempo. Only these series have exemplars, because the Rust SDK
/// records none.
fn traced() -> Panel {
    let names = format!("{}|{}", span::WORKFLOW_EXECUTE, span::AGENT_EXECUTE);
    let latency = Series::own("traces_spanmetrics_latency_bucket", Origin::Service)
        .like("service", "$service")
        .like("span_name", &names);
    let rate = sum_by(&["span_name", LE], format!("rate({latency}[$__rate_interval])"));
    Panel::lines("Span duration p95, with traces", "s")
        .about("Durations of workflow segments and agent executions, from Tempo's span metrics. Each dot links to a trace.")
        .query(Mode::Range, format!("histogram_quantile(0.95, {rate}) >= 0"), "{{span_name}}")
        .exemplars()
        .traces("{ span:name = \"${__field.labels.span_name}\" && resource.service.name =~ \"${service:pipe}\" }")
        .sized(24, 8)
}
