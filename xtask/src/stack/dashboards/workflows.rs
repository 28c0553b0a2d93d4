//! Dashboard Workflow Overview: runs, durations, failures and pending approvals of workflows.

use super::query::{
    WARNINGS, increment, one_of, or_none, or_zero, per_minute, quantile_at, quantile_of_range,
    same, selected, spans, total,
};
use crate::promql::{LE, Origin, Series, max_by, sum_by};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::increments::{APPROVAL_BUCKETS, QUEUE_BUCKETS, RUN_BUCKETS, RUN_ERRORS, RUNS};
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
        variables: &["service", "environment", "cluster", "workflow"],
        panels: vec![
            by_status().begins("Runs"),
            success_rate(),
            duration(),
            active(),
            failed_runs(),
            failures(),
            slowest(),
            approvals().begins("Approvals"),
            approval_wait(),
            percentiles().begins("Durations"),
            queue_wait(),
            queue(),
            oldest(),
            active_by_workflow(),
            triggers(),
            traced().begins("Traces and logs"),
            before_sampling(),
            failed_traces(),
            log_records(),
        ],
    }
}

fn workflow_spans(conditions: &str) -> String {
    spans(span::WORKFLOW_EXECUTE, conditions)
}

fn by_status() -> Panel {
    Panel::lines("Workflows per minute by status", "short")
        .about("Runs that ended per minute, by status.")
        .query(Mode::Range, per_minute(&[STATUS], &increment(RUNS)), "{{status}}")
        .traces(workflow_spans(
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_STATUS, STATUS)),
        ))
        .stacked()
        .colored_by_status()
}

fn success_rate() -> Panel {
    let good = total(&[], &increment(RUNS).is(STATUS, status::SUCCESS));
    let counted = total(&[], &increment(RUNS).unlike(STATUS, NEUTRAL));
    Panel::number("Success rate", "percent")
        .about("Runs that succeeded, relative to runs that succeeded, failed or timed out, in the time range. The target is 99 %.")
        .query(Mode::Instant, format!("100 * {good} / ({counted} > 0)"), "success")
        .steps(RED, &[(YELLOW, 95.0), (GREEN, 99.0)])
        .decimals(2)
        .traces(workflow_spans(&(one_of(a::WORKFLOW_ID, "workflow") + " && status = error")))
}

fn duration() -> Panel {
    let p95 = quantile_of_range(0.95, &[WORKFLOW_ID], &increment(RUN_BUCKETS));
    Panel::gauge("p95 duration", "ms", (0.0, 600_000.0))
        .about("Highest 95th percentile of the execution time of a workflow in the time range, without waits for approvals. Red above 5 minutes.")
        .query(Mode::Instant, format!("max({p95})"), "p95")
        .steps(GREEN, &[(YELLOW, 120_000.0), (RED, 300_000.0)])
        .traces(workflow_spans(&one_of(a::WORKFLOW_ID, "workflow")))
}

fn active() -> Panel {
    Panel::number("Active workflows", "short")
        .about("Runs that are executing. Runs that wait for an approval are not counted.")
        .query(Mode::Instant, sum_by(&[], selected(Series::of, &m::WORKFLOWS_ACTIVE)), "active")
}

fn failed_runs() -> Panel {
    Panel::number("Runs by status", "short")
        .about("Runs that ended in the time range, by status.")
        .query(Mode::Instant, total(&[STATUS], &increment(RUNS)), "{{status}}")
        .sized(6, 4)
        .decimals(0)
        .traces(workflow_spans(
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_STATUS, STATUS)),
        ))
        .colored_by_status()
}

fn failures() -> Panel {
    let errors = total(&[ERROR_TYPE], &increment(RUN_ERRORS));
    Panel::bars("Failures by error type", "short")
        .about("Runs that failed or timed out in the time range, by the stable identifier of the error.")
        .query(Mode::Instant, or_none(&errors, ERROR_TYPE), "{{error_type}}")
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
        .traces(workflow_spans(&(one_of(a::WORKFLOW_ID, "workflow") + &same(a::ERROR_TYPE, ERROR_TYPE))))
}

fn slowest() -> Panel {
    let p95 = quantile_of_range(0.95, &[WORKFLOW_ID], &increment(RUN_BUCKETS));
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
            or_zero(&sum_by(&[], selected(Series::of, &m::WORKFLOW_APPROVAL_PENDING))),
            "waiting",
        )
        .query(
            Mode::Range,
            or_zero(&max_by(&[], selected(Series::of, &m::WORKFLOW_APPROVAL_OLDEST_AGE))),
            "age of the oldest",
        )
        .query_unit("B", "s")
        .right_axis("B")
        .traces(spans(span::WORKFLOW_APPROVAL, &one_of(a::WORKFLOW_ID, "workflow")))
}

fn approval_wait() -> Panel {
    let waits = increment(APPROVAL_BUCKETS);
    Panel::bars("Approval wait p95 by decision", "ms")
        .about("95th percentile of the time from the request for an approval to its decision, in the time range.")
        .query(Mode::Instant, quantile_of_range(0.95, &[DECISION], &waits), "{{decision}}")
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

fn percentiles() -> Panel {
    let p = |q| quantile_at(q, &[WORKFLOW_ID], &increment(RUN_BUCKETS));
    Panel::lines("Duration p50, p95, p99 by workflow", "ms")
        .about("Execution time of the runs of each workflow, without waits for approvals. Select workflows above.")
        .query(Mode::Range, p(0.5), "{{workflow_id}} p50")
        .query(Mode::Range, p(0.95), "{{workflow_id}} p95")
        .query(Mode::Range, p(0.99), "{{workflow_id}} p99")
        .traces(workflow_spans(&same(a::WORKFLOW_ID, WORKFLOW_ID)))
        .sized(24, 8)
}

fn queue_wait() -> Panel {
    Panel::lines("Time in the queue p95 by workflow", "ms")
        .about("95th percentile of the time from the creation of a run until its start, once per run. It grows with the load of the workers.")
        .query(Mode::Range, quantile_at(0.95, &[WORKFLOW_ID], &increment(QUEUE_BUCKETS)), "{{workflow_id}}")
        .traces(workflow_spans(&same(a::WORKFLOW_ID, WORKFLOW_ID)))
}

fn queue() -> Panel {
    Panel::lines("Runs in the queue by workflow", "short")
        .about("Number of runs that are created and have not started, and age of the oldest one (right axis). An age that rises means that no run of the workflow starts.")
        .query(
            Mode::Range,
            sum_by(&[WORKFLOW_ID], selected(Series::of, &m::WORKFLOW_QUEUE_PENDING)),
            "{{workflow_id}}",
        )
        .query(
            Mode::Range,
            max_by(&[WORKFLOW_ID], selected(Series::of, &m::WORKFLOW_QUEUE_OLDEST_AGE)),
            "{{workflow_id}}: age of the oldest",
        )
        .query_unit("B", "s")
        .right_axis("B")
        .traces(workflow_spans(&same(a::WORKFLOW_ID, WORKFLOW_ID)))
}

fn oldest() -> Panel {
    Panel::lines("Age of the oldest run", "s")
        .about("Time that the oldest run has been executing, without its waits for approvals, by workflow. A line that never falls indicates a run that hangs.")
        .query(
            Mode::Range,
            max_by(&[WORKFLOW_ID], selected(Series::of, &m::WORKFLOW_RUN_OLDEST_AGE)),
            "{{workflow_id}}",
        )
        .traces(workflow_spans(&same(a::WORKFLOW_ID, WORKFLOW_ID)))
}

fn triggers() -> Panel {
    Panel::pie("Runs by trigger", "short")
        .about("Runs that ended in the time range, by trigger.")
        .query(Mode::Instant, total(&[TRIGGER_TYPE], &increment(RUNS)), "{{trigger_type}}")
        .traces(workflow_spans(
            &(one_of(a::WORKFLOW_ID, "workflow") + &same(a::WORKFLOW_TRIGGER, TRIGGER_TYPE)),
        ))
}

fn failed_traces() -> Panel {
    let failed = one_of(a::WORKFLOW_ID, "workflow") + " && status = error";
    Panel::trace_list("Failed runs", &workflow_spans(&failed))
        .about("The newest traces in which a run of the selected workflows failed. Select one to open it.")
        .without_data("no failed run")
}

fn log_records() -> Panel {
    Panel::logs("Warnings and errors", WARNINGS)
        .about("The newest log records of the selected services from the severity WARN. `trace_id` in the details links to the trace.")
        .without_data("no warning")
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

/// Span metrics of the sampler in scale-out/, which counts all spans. Tempo counts those that are
/// kept, most of which have errors.
fn before_sampling() -> Panel {
    let names = format!("{}|{}", span::WORKFLOW_EXECUTE, span::AGENT_EXECUTE);
    let duration = Series::own("traces_span_metrics_duration_seconds_bucket", Origin::Service)
        .like("service_name", "$service")
        .like("span_name", &names);
    let rate = sum_by(&["span_name", LE], format!("rate({duration}[$__rate_interval])"));
    Panel::lines("Span duration p95, before sampling", "s")
        .about("Durations of workflow segments and agent executions, counted by the Collector of scale-out/ before it samples.")
        .query(Mode::Range, format!("histogram_quantile(0.95, {rate}) >= 0"), "{{span_name}}")
        .without_data("no sampler: see the panel of Tempo")
        .sized(24, 8)
}
