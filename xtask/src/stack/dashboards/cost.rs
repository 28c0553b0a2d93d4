//! Dashboard Cost Tracking: execution minutes and their cost. The variable `cost_per_minute`
//! converts minutes to cost; at 0 the panels show minutes.

use super::query::{same, selected, spans};
use crate::promql::{Origin, SHOWN, Series, events_in_window, sum_by};
use crate::stack::dashboard::{Dashboard, Mode, Panel};
use crate::stack::slo::MONTHLY_RUNS;
use hub_otel::semconv::attribute::label::{AGENT_ID, WORKFLOW_ID};
use hub_otel::semconv::attribute::{self as a, SERVICE_NAME};
use hub_otel::semconv::{metric as m, span};

/// Grafana's unit id for minutes.
const MINUTES: &str = "m";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "cost-tracking",
        title: "Cost Tracking",
        description: "Execution minutes of workflows and agents, and their cost.",
        from: "now-24h",
        variables: &["service", "workflow", "agent", "cost_per_minute"],
        panels: vec![monthly(), total(), agents(), workflows(), table()],
    }
}

/// Adds two queries: minutes, which is empty if a cost is set, and cost, which is empty if none
/// is set.
fn minutes_or_money(panel: Panel, mode: Mode, minutes: &str, legend: &'static str) -> Panel {
    panel
        .query(mode, format!("{minutes} and on () (vector($cost_per_minute) == 0)"), legend)
        .query(
            mode,
            format!("{minutes} * $cost_per_minute and on () (vector($cost_per_minute) != 0)"),
            legend,
        )
        .query_unit("A", MINUTES)
        .query_unit("B", "currencyUSD")
        .decimals(2)
}

fn minutes(metric: &m::Metric, labels: &[&str]) -> String {
    format!("{} / 60000", sum_by(labels, events_in_window(&selected(Series::sum, metric), SHOWN)))
}

fn monthly() -> Panel {
    let monthly = Series::own(MONTHLY_RUNS, Origin::Service)
        .like(SERVICE_NAME, "$service")
        .like(WORKFLOW_ID, "$workflow");
    Panel::number("Monthly executions", "short")
        .about("Runs that ended in the last 30 days, independent of the time range.")
        .query(Mode::Instant, format!("sum(sum_over_time({monthly}[30d]))"), "runs")
        .decimals(0)
        .sized(12, 4)
}

fn total() -> Panel {
    let panel = Panel::number("Execution in the time shown", MINUTES)
        .about("Execution minutes of workflows, without waits for approvals, or their cost.")
        .sized(12, 4);
    minutes_or_money(panel, Mode::Instant, &minutes(&m::WORKFLOW_DURATION, &[]), "total")
}

fn agents() -> Panel {
    let panel = Panel::bars("Agent execution minutes", MINUTES)
        .about("Execution minutes of agents in the time range, including all attempts and backoffs, or their cost.")
        .traces(spans(span::AGENT_EXECUTE, &same(a::AGENT_ID, AGENT_ID)));
    minutes_or_money(
        panel,
        Mode::Instant,
        &minutes(&m::AGENT_DURATION, &[AGENT_ID]),
        "{{agent_id}}",
    )
}

fn workflows() -> Panel {
    let panel = Panel::pie("Workflow cost breakdown", MINUTES)
        .about("Share of each workflow in the execution minutes or the cost, in the time range.")
        .traces(spans(span::WORKFLOW_EXECUTE, &same(a::WORKFLOW_ID, WORKFLOW_ID)));
    minutes_or_money(
        panel,
        Mode::Instant,
        &minutes(&m::WORKFLOW_DURATION, &[WORKFLOW_ID]),
        "{{workflow_id}}",
    )
}

fn table() -> Panel {
    let by_workflow = |part: fn(&m::Metric) -> Series| {
        sum_by(&[WORKFLOW_ID], events_in_window(&selected(part, &m::WORKFLOW_DURATION), SHOWN))
    };
    let (total, runs) = (by_workflow(Series::sum), by_workflow(Series::count));
    Panel::table("Cost per workflow")
        .about("Runs, total duration, mean duration and cost per workflow in the time range. The cost is 0 if no cost per minute is set.")
        .query(Mode::Table, runs.clone(), "")
        .query(Mode::Table, format!("sort_desc({total})"), "")
        .query(Mode::Table, format!("{total} / ({runs} > 0)"), "")
        .query(Mode::Table, format!("{total} / 60000 * $cost_per_minute"), "")
        .joined(
            WORKFLOW_ID,
            "Workflow",
            &[("A", "Runs"), ("B", "Total duration"), ("C", "Mean duration"), ("D", "Cost")],
        )
        .named_unit("Total duration", "ms")
        .named_unit("Mean duration", "ms")
        .named_unit("Cost", "currencyUSD")
        .traces(spans(span::WORKFLOW_EXECUTE, " && span.workflow.id = \"${__data.fields.Workflow}\""))
        .sized(24, 8)
}
