//! Dashboard Agent Performance: durations, failures, retries and cost of agents.

use super::query::{increment, one_of, or_none, per_minute, quantile_at, same, spans, total};
use crate::promql::{LE, sum_by};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::increments::{
    AGENT_BUCKETS, AGENT_ERRORS, AGENT_RETRIES, AGENT_RUNS, AGENT_TIME, counted,
};
use crate::stack::recordings::{FAILURES, NEUTRAL};
use hub_otel::semconv::attribute::label::{AGENT_ID, ERROR_TYPE, REASON, STATUS};
use hub_otel::semconv::{attribute as a, span};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "agent-performance",
        title: "Agent Performance",
        description: "Durations, failures, retries and execution time of agents.",
        from: "now-1h",
        variables: &["service", "environment", "cluster", "agent"],
        panels: vec![
            heatmap().begins("Durations"),
            durations(),
            expensive(),
            executions(),
            failure_rate().begins("Failures"),
            errors(),
            retries(),
            failed_traces(),
        ],
    }
}

fn agent_spans(conditions: &str) -> String {
    spans(span::AGENT_EXECUTE, conditions)
}

fn heatmap() -> Panel {
    let buckets = increment(AGENT_BUCKETS);
    Panel::heatmap("Execution heatmap", "ms")
        .about("Distribution of execution durations over time. Two bands indicate two kinds of work; a rising band indicates a dependency that becomes slower.")
        .query(Mode::Heatmap, sum_by(&[LE], counted(&buckets, "$__interval")), "{{le}}")
        .traces(agent_spans(&one_of(a::AGENT_ID, "agent")))
}

fn durations() -> Panel {
    let p = |q| quantile_at(q, &[AGENT_ID], &increment(AGENT_BUCKETS));
    Panel::lines("Duration p50, p95, p99", "ms")
        .about("Duration of executions of each agent, including all attempts and backoffs. Select agents above.")
        .query(Mode::Range, p(0.5), "{{agent_id}} p50")
        .query(Mode::Range, p(0.95), "{{agent_id}} p95")
        .query(Mode::Range, p(0.99), "{{agent_id}} p99")
        .traces(agent_spans(&same(a::AGENT_ID, AGENT_ID)))
}

fn failure_rate() -> Panel {
    let runs = || increment(AGENT_RUNS);
    let failed = total(&[AGENT_ID], &runs().like(STATUS, FAILURES));
    let counted = total(&[AGENT_ID], &runs().unlike(STATUS, NEUTRAL));
    Panel::bars("Failure rate by agent", "percent")
        .about("Executions that failed or timed out, relative to executions that were not cancelled, in the time range.")
        .query(Mode::Instant, format!("100 * {failed} / ({counted} > 0)"), "{{agent_id}}")
        .steps(GREEN, &[(YELLOW, 2.0), (RED, 10.0)])
        .between(0.0, 100.0)
        .decimals(1)
        .traces(agent_spans(&(same(a::AGENT_ID, AGENT_ID) + " && status = error")))
}

fn expensive() -> Panel {
    let time = total(&[AGENT_ID], &increment(AGENT_TIME));
    let count = total(&[AGENT_ID], &increment(AGENT_RUNS));
    Panel::table("Most expensive agents")
        .about(
            "Total execution time, mean execution time and number of executions in the time range.",
        )
        .query(Mode::Table, format!("sort_desc({time})"), "")
        .query(Mode::Table, format!("{time} / ({count} > 0)"), "")
        .query(Mode::Table, count, "")
        .joined(AGENT_ID, "Agent", &[("A", "Total time"), ("B", "Mean time"), ("C", "Executions")])
        .named_unit("Total time", "ms")
        .named_unit("Mean time", "ms")
        .named_decimals("Executions", 0)
        .traces(agent_spans(" && span.agent.id = \"${__data.fields.Agent}\""))
}

fn retries() -> Panel {
    let retries = per_minute(&[REASON], &increment(AGENT_RETRIES));
    Panel::lines("Retries per minute by reason", "short")
        .about("Failed attempts that were retried. Retries rise before failures do.")
        .query(Mode::Range, or_none(&retries, REASON), "{{reason}}")
        .traces(agent_spans(&(one_of(a::AGENT_ID, "agent") + " && span.agent.retry.count > 0")))
        .stacked()
        .sized(24, 8)
}

fn errors() -> Panel {
    let errors = total(&[AGENT_ID, ERROR_TYPE], &increment(AGENT_ERRORS));
    Panel::bars("Errors by agent and type", "short")
        .about("Executions that failed or timed out in the time range.")
        .query(Mode::Instant, or_none(&errors, ERROR_TYPE), "{{agent_id}} {{error_type}}")
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
        .traces(agent_spans(&(same(a::AGENT_ID, AGENT_ID) + &same(a::ERROR_TYPE, ERROR_TYPE))))
}

fn executions() -> Panel {
    Panel::lines("Executions per minute by agent", "short")
        .about("Executions that ended, with any status.")
        .query(Mode::Range, per_minute(&[AGENT_ID], &increment(AGENT_RUNS)), "{{agent_id}}")
        .traces(agent_spans(&same(a::AGENT_ID, AGENT_ID)))
}

fn failed_traces() -> Panel {
    let failed = one_of(a::AGENT_ID, "agent") + " && status = error";
    Panel::trace_list("Failed executions", &agent_spans(&failed))
        .about("The newest traces in which an execution of the selected agents failed. Select one to open it.")
        .without_data("no failed execution")
}
