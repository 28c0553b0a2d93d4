//! Cost Tracking: where the minutes go. `cost_per_minute` turns minutes into money; at 0 the panels say minutes.

use super::query::{same, selected, spans};
use crate::promql::{Origin, SHOWN, Series, events_in_window, sum_by};
use crate::stack::dashboard::{Dashboard, Mode, Panel};
use crate::stack::slo::MONTHLY_RUNS;
use hub_otel::semconv::attribute::label::{AGENT_ID, WORKFLOW_ID};
use hub_otel::semconv::attribute::{self as a, SERVICE_NAME};
use hub_otel::semconv::{metric as m, span};

/// Minutes, in Grafana's list of units.
const MINUTES: &str = "m";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "cost-tracking",
        title: "Cost Tracking",
        description: "Where the minutes of execution go, and what they cost.",
        from: "now-24h",
        variables: &["service", "workflow", "agent", "cost_per_minute"],
        panels: vec![monthly(), total(), agents(), workflows(), table()],
    }
}

/// The same minutes twice: as minutes while a minute costs nothing, as money otherwise. One of the two is empty.
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
        .about("Runs that ended in the last 30 days, whatever time is shown.")
        .query(Mode::Instant, format!("sum(sum_over_time({monthly}[30d]))"), "runs")
        .decimals(0)
        .sized(12, 4)
}

fn total() -> Panel {
    let panel = Panel::number("Execution in the time shown", MINUTES)
        .about(
            "Minutes that workflows executed, waits for approvals not counted; or what they cost.",
        )
        .sized(12, 4);
    minutes_or_money(panel, Mode::Instant, &minutes(&m::WORKFLOW_DURATION, &[]), "total")
}

fn agents() -> Panel {
    let panel = Panel::bars("Agent execution minutes", MINUTES)
        .about("Minutes that agents executed in the time shown, all attempts and backoffs included; or what they cost.")
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
        .about("Each workflow's share of the minutes, or of the money, in the time shown.")
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
        .about("Runs, total and mean duration per workflow in the time shown, and what they cost (0 at 0 per minute).")
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
