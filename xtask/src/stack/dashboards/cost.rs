//! Dashboard Cost Tracking: execution minutes and their cost, and cost and tokens of models. The
//! variable `cost_per_minute` converts minutes to cost; at 0 the panels show minutes.

use super::query::{increment, of_service, or_zero, per_minute, same, spans, total as total_by};
use crate::promql::{Series, max_by, sum_by};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, YELLOW};
use crate::stack::increments::{AGENT_TIME, RUN_TIME, RUNS, counted, gen_ai};
use hub_otel::semconv::attribute::label::{AGENT_ID, MODEL, TYPE, WORKFLOW_ID};
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
        variables: &["service", "environment", "cluster", "workflow", "agent", "cost_per_minute"],
        panels: vec![
            monthly().begins("Executions"),
            total(),
            agents(),
            workflows(),
            daily(),
            table(),
            model_cost().begins("Models"),
            unpriced(),
            price_table(),
            cost_by("Model cost by workflow", WORKFLOW_ID, "{{workflow_id}}"),
            cost_by("Model cost by agent", AGENT_ID, "{{agent_id}}"),
            cost_by("Model cost by model", MODEL, "{{model}}"),
            cost_over_time(),
            tokens_by("Tokens by workflow", WORKFLOW_ID, "{{workflow_id}} {{type}}"),
            tokens_by("Tokens by agent", AGENT_ID, "{{agent_id}} {{type}}"),
            tokens_by("Tokens by model", MODEL, "{{model}} {{type}}"),
        ],
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

fn minutes(time: &str, labels: &[&str]) -> String {
    format!("{} / 60000", total_by(labels, &increment(time)))
}

fn monthly() -> Panel {
    Panel::number("Monthly executions", "short")
        .about("Runs that ended in the last 30 days, independent of the time range.")
        .query(Mode::Instant, sum_by(&[], counted(&increment(RUNS), "30d")), "runs")
        .decimals(0)
        .sized(12, 4)
}

fn daily() -> Panel {
    Panel::lines("Executions per day", "short")
        .about("Runs that ended on each of the last 30 days, by workflow, independent of the time range.")
        .query(
            Mode::Range,
            sum_by(&[WORKFLOW_ID], counted(&increment(RUNS), "1d")),
            "{{workflow_id}}",
        )
        .by_day("30d")
        .stacked()
        .decimals(0)
        .sized(24, 8)
}

fn total() -> Panel {
    let panel = Panel::number("Execution in the time shown", MINUTES)
        .about("Execution minutes of workflows, without waits for approvals, or their cost.")
        .sized(12, 4);
    minutes_or_money(panel, Mode::Instant, &minutes(RUN_TIME, &[]), "total")
}

fn agents() -> Panel {
    let panel = Panel::bars("Agent execution minutes", MINUTES)
        .about("Execution minutes of agents in the time range, including all attempts and backoffs, or their cost.")
        .traces(spans(span::AGENT_EXECUTE, &same(a::AGENT_ID, AGENT_ID)));
    minutes_or_money(panel, Mode::Instant, &minutes(AGENT_TIME, &[AGENT_ID]), "{{agent_id}}")
}

fn workflows() -> Panel {
    let panel = Panel::pie("Workflow cost breakdown", MINUTES)
        .about("Share of each workflow in the execution minutes or the cost, in the time range.")
        .traces(spans(span::WORKFLOW_EXECUTE, &same(a::WORKFLOW_ID, WORKFLOW_ID)));
    minutes_or_money(panel, Mode::Instant, &minutes(RUN_TIME, &[WORKFLOW_ID]), "{{workflow_id}}")
}

fn table() -> Panel {
    let total = total_by(&[WORKFLOW_ID], &increment(RUN_TIME));
    let runs = total_by(&[WORKFLOW_ID], &increment(RUNS));
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
        .named_decimals("Runs", 0)
        .traces(spans(span::WORKFLOW_EXECUTE, " && span.workflow.id = \"${__data.fields.Workflow}\""))
        .sized(24, 8)
}

fn model_cost() -> Panel {
    Panel::number("Cost of models", "currencyUSD")
        .about("Cost of calls of models in the time range, by the price table, the application's prices or the provider's report.")
        .query(Mode::Instant, or_zero(&total_by(&[], &increment(gen_ai::COST))), "total")
        .decimals(2)
        .sized(8, 4)
}

fn unpriced() -> Panel {
    Panel::number("Calls without a price", "short")
        .about("Calls of models in the time range that the cost does not contain, because no price is known. Set one with `Telemetry::builder().model_price(…)`.")
        .query(Mode::Instant, or_zero(&total_by(&[], &increment(gen_ai::UNPRICED))), "calls")
        .steps(GREEN, &[(YELLOW, 1.0)])
        .replaces("0", "none", GREEN)
        .decimals(0)
        .sized(8, 4)
}

fn price_table() -> Panel {
    let age = of_service(Series::of(&m::PRICE_TABLE_AGE));
    Panel::number("Age of the price table", "s")
        .about("Age of the bundled table of prices. An update of the crate genai-prices renews it.")
        .query(Mode::Instant, max_by(&[SERVICE_NAME], age), "{{service_name}}")
        .without_data("no service bundles prices")
        .sized(8, 4)
}

fn cost_by(title: &'static str, label: &str, legend: &'static str) -> Panel {
    Panel::bars(title, "currencyUSD")
        .about("Cost of calls of models in the time range. Calls outside a unit have no name.")
        .query(Mode::Instant, total_by(&[label], &increment(gen_ai::COST)), legend)
        .decimals(2)
        .without_data("no priced call")
        .sized(8, 8)
}

fn cost_over_time() -> Panel {
    Panel::lines("Model cost per minute by model", "currencyUSD")
        .about("Cost of the calls of models that ended. ModelCostPerHour fires above 10 USD in one hour.")
        .query(Mode::Range, per_minute(&[MODEL], &increment(gen_ai::COST)), "{{model}}")
        .stacked()
        .without_data("no priced call")
        .sized(24, 8)
}

fn tokens_by(title: &'static str, label: &str, legend: &'static str) -> Panel {
    Panel::bars(title, "short")
        .about("Input and output tokens of calls of models in the time range.")
        .query(Mode::Instant, total_by(&[label, TYPE], &increment(gen_ai::TOKENS)), legend)
        .decimals(0)
        .without_data("no call with tokens")
        .sized(8, 8)
}
