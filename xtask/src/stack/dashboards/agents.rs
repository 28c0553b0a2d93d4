//! Dashboard Agent Performance: durations, failures, retries and cost of agents.

use super::query::{one_of, or_none, per_minute, same, selected, spans};
use crate::promql::{LE, POINT, SHOWN, Series, events_in_window, quantile, sum_by};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::recordings::{FAILURES, NEUTRAL};
use hub_otel::semconv::attribute::label::{AGENT_ID, ERROR_TYPE, REASON, STATUS};
use hub_otel::semconv::{attribute as a, metric as m, span};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "agent-performance",
        title: "Agent Performance",
        description: "Durations, failures, retries and execution time of agents.",
        from: "now-1h",
        variables: &["service", "agent"],
        panels: vec![
            heatmap(),
            durations(),
            failure_rate(),
            expensive(),
            retries(),
            errors(),
            executions(),
        ],
    }
}

fn agent_spans(conditions: &str) -> String {
    spans(span::AGENT_EXECUTE, conditions)
}

fn heatmap() -> Panel {
    let buckets = selected(Series::buckets, &m::AGENT_DURATION);
    Panel::heatmap("Execution heatmap", "ms")
        .about("Distribution of execution durations over time. Two bands indicate two kinds of work; a rising band indicates a dependency that becomes slower.")
        .query(Mode::Heatmap, sum_by(&[LE], events_in_window(&buckets, POINT)), "{{le}}")
        .traces(agent_spans(&one_of(a::AGENT_ID, "agent")))
}

fn durations() -> Panel {
    let p = |q| quantile(q, &[], &selected(Series::buckets, &m::AGENT_DURATION), POINT);
    Panel::lines("Duration p50, p95, p99", "ms")
        .about("Duration of executions, including all attempts and backoffs.")
        .query(Mode::Range, p(0.5), "p50")
        .query(Mode::Range, p(0.95), "p95")
        .query(Mode::Range, p(0.99), "p99")
        .traces(agent_spans(&one_of(a::AGENT_ID, "agent")))
}

fn failure_rate() -> Panel {
    let runs = || selected(Series::of, &m::AGENT_RUNS);
    let failed = sum_by(&[AGENT_ID], events_in_window(&runs().like(STATUS, FAILURES), SHOWN));
    let counted = sum_by(&[AGENT_ID], events_in_window(&runs().unlike(STATUS, NEUTRAL), SHOWN));
    Panel::bars("Failure rate by agent", "percent")
        .about("Executions that failed or timed out, relative to executions that were not cancelled, in the time range.")
        .query(Mode::Instant, format!("100 * {failed} / ({counted} > 0)"), "{{agent_id}}")
        .steps(GREEN, &[(YELLOW, 2.0), (RED, 10.0)])
        .between(0.0, 100.0)
        .decimals(1)
        .traces(agent_spans(&(same(a::AGENT_ID, AGENT_ID) + " && status = error")))
}

fn expensive() -> Panel {
    let by_agent = |part: fn(&m::Metric) -> Series| {
        sum_by(&[AGENT_ID], events_in_window(&selected(part, &m::AGENT_DURATION), SHOWN))
    };
    let (total, count) = (by_agent(Series::sum), by_agent(Series::count));
    Panel::table("Most expensive agents")
        .about(
            "Total execution time, mean execution time and number of executions in the time range.",
        )
        .query(Mode::Table, format!("sort_desc({total})"), "")
        .query(Mode::Table, format!("{total} / ({count} > 0)"), "")
        .query(Mode::Table, count, "")
        .joined(AGENT_ID, "Agent", &[("A", "Total time"), ("B", "Mean time"), ("C", "Executions")])
        .named_unit("Total time", "ms")
        .named_unit("Mean time", "ms")
        .traces(agent_spans(" && span.agent.id = \"${__data.fields.Agent}\""))
}

fn retries() -> Panel {
    let retries =
        sum_by(&[REASON], events_in_window(&selected(Series::of, &m::AGENT_RETRIES), POINT));
    Panel::lines("Retries per minute by reason", "short")
        .about("Failed attempts that were retried. Retries rise before failures do.")
        .query(Mode::Range, or_none(&per_minute(&retries), REASON), "{{reason}}")
        .traces(agent_spans(&(one_of(a::AGENT_ID, "agent") + " && span.agent.retry.count > 0")))
        .stacked()
}

fn errors() -> Panel {
    let errors = sum_by(
        &[AGENT_ID, ERROR_TYPE],
        events_in_window(&selected(Series::of, &m::AGENT_ERRORS), SHOWN),
    );
    Panel::bars("Errors by agent and type", "short")
        .about("Executions that failed or timed out in the time range.")
        .query(Mode::Instant, or_none(&errors, ERROR_TYPE), "{{agent_id}} {{error_type}}")
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
        .traces(agent_spans(&(same(a::AGENT_ID, AGENT_ID) + &same(a::ERROR_TYPE, ERROR_TYPE))))
}

fn executions() -> Panel {
    let runs = sum_by(&[AGENT_ID], events_in_window(&selected(Series::of, &m::AGENT_RUNS), POINT));
    Panel::lines("Executions per minute by agent", "short")
        .about("Executions that ended, with any status.")
        .query(Mode::Range, per_minute(&runs), "{{agent_id}}")
        .traces(agent_spans(&same(a::AGENT_ID, AGENT_ID)))
        .sized(24, 8)
}
