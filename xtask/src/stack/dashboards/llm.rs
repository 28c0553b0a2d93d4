//! Dashboard LLM: calls of models and tools.

use super::query::{increment, of_service, or_none, per_minute, quantile_at, total};
use crate::docs::label_name;
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::increments::{gen_ai as i, recorded};
use hub_otel::semconv::attribute::ERROR_TYPE;
use hub_otel::semconv::attribute::label::TYPE;
use hub_otel::semconv::gen_ai::{self as g, operation, token_type};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "llm",
        title: "LLM",
        description: "Calls of models and tools: number, errors, latency, tokens.",
        from: "now-1h",
        variables: &["service", "environment", "cluster"],
        panels: vec![
            calls().begins("Calls of models"),
            error_share(),
            durations(),
            first_chunk(),
            errors(),
            tokens().begins("Tokens"),
            tokens_per_call(),
            cache_share(),
            tools().begins("Tools"),
            tool_durations(),
            tool_errors(),
        ],
    }
}

/// Legends: labels of the series, as Prometheus spells them.
const MODEL: &str = "{{gen_ai_request_model}}";
const MODEL_AND_ERROR: &str = "{{gen_ai_request_model}} {{error_type}}";
const TOOL: &str = "{{gen_ai_tool_name}}";
const TOOL_AND_ERROR: &str = "{{gen_ai_tool_name}} {{error_type}}";

/// A TraceQL query for the calls of models, by the model of the series.
fn call_spans(conditions: &str) -> String {
    let model = format!("${{__field.labels.{}}}", label_name(g::REQUEST_MODEL));
    format!(
        "{{ span.{} = \"{model}\" && resource.service.name =~ \"${{service:pipe}}\"{conditions} }}",
        g::REQUEST_MODEL
    )
}

/// A TraceQL query for the executions of the tool of the series.
fn tool_spans(conditions: &str) -> String {
    let tool = format!("${{__field.labels.{}}}", label_name(g::TOOL_NAME));
    format!(
        "{{ span.{} = \"{}\" && span.{} = \"{tool}\" && resource.service.name =~ \"${{service:pipe}}\"{conditions} }}",
        g::OPERATION_NAME,
        operation::EXECUTE_TOOL,
        g::TOOL_NAME
    )
}

fn calls() -> Panel {
    Panel::lines("Calls per minute by model", "short")
        .about("Calls of models that ended, failed ones included.")
        .query(Mode::Range, per_minute(&[g::REQUEST_MODEL], &increment(i::CALLS)), MODEL)
        .traces(call_spans(""))
        .stacked()
}

fn error_share() -> Panel {
    let by = &[g::REQUEST_MODEL];
    let all = total(by, &increment(i::CALLS));
    let failed = total(by, &increment(i::CALLS).not(ERROR_TYPE, ""));
    Panel::bars("Error share by model", "percent")
        .about("Calls of models that failed, relative to all calls, in the time range.")
        .query(Mode::Instant, format!("100 * ({failed} or 0 * {all}) / ({all} > 0)"), MODEL)
        .steps(GREEN, &[(YELLOW, 2.0), (RED, 10.0)])
        .between(0.0, 100.0)
        .decimals(1)
        .traces(call_spans(" && status = error"))
}

fn durations() -> Panel {
    let p = |q| quantile_at(q, &[g::REQUEST_MODEL], &increment(i::CALL_BUCKETS));
    Panel::lines("Latency p50, p95 by model", "s")
        .about("Duration of calls of models, from the request to the end of the response.")
        .query(Mode::Range, p(0.5), "p50 {{gen_ai_request_model}}")
        .query(Mode::Range, p(0.95), "p95 {{gen_ai_request_model}}")
        .traces(call_spans(""))
}

fn first_chunk() -> Panel {
    Panel::lines("First chunk p95 by model", "s")
        .about("Time from the request to the first chunk of a streamed response.")
        .query(
            Mode::Range,
            quantile_at(0.95, &[g::REQUEST_MODEL], &increment(i::CHUNK_BUCKETS)),
            MODEL,
        )
        .traces(call_spans(""))
}

fn errors() -> Panel {
    let errors = total(&[g::REQUEST_MODEL, ERROR_TYPE], &increment(i::CALLS).not(ERROR_TYPE, ""));
    Panel::bars("Errors by model and type", "short")
        .about("Calls of models that failed in the time range.")
        .query(Mode::Instant, or_none(&errors, &label_name(ERROR_TYPE)), MODEL_AND_ERROR)
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
}

fn tokens() -> Panel {
    let of = |kind| per_minute(&[], &of_service(recorded(i::TOKENS)).is(TYPE, kind));
    let part = |name| per_minute(&[], &increment(name));
    Panel::lines("Tokens per minute", "short")
        .about("Input and output tokens of calls of models. Cached and reasoning tokens, which are parts of them, need OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai/dup.")
        .query(Mode::Range, of(token_type::INPUT), "input")
        .query(Mode::Range, of(token_type::OUTPUT), "output")
        .query(Mode::Range, part(i::CACHE_READ), "cache read")
        .query(Mode::Range, part(i::CACHE_WRITE), "cache write")
        .query(Mode::Range, part(i::REASONING), "reasoning")
}

fn tokens_per_call() -> Panel {
    let p95 = |name| quantile_at(0.95, &[], &increment(name));
    Panel::lines("Tokens per call p95", "short")
        .about("95th percentile of the tokens of one call. A rising input indicates a growing conversation.")
        .query(Mode::Range, p95(i::INPUT_BUCKETS), "input")
        .query(Mode::Range, p95(i::OUTPUT_BUCKETS), "output")
}

fn cache_share() -> Panel {
    let by = &[g::REQUEST_MODEL];
    let (read, input) = (total(by, &increment(i::CACHE_READ)), total(by, &increment(i::INPUT)));
    Panel::bars("Cache share by model", "percent")
        .about("Input tokens that the provider's cache served, in the time range. Needs OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai/dup.")
        .query(Mode::Instant, format!("100 * {read} / ({input} > 0)"), MODEL)
        .between(0.0, 100.0)
        .decimals(1)
        .without_data("no call reports cached tokens")
}

fn tools() -> Panel {
    Panel::lines("Tool executions per minute", "short")
        .about("Executions of tools that ended, failed ones included.")
        .query(Mode::Range, per_minute(&[g::TOOL_NAME], &increment(i::TOOLS)), TOOL)
        .traces(tool_spans(""))
        .stacked()
}

fn tool_durations() -> Panel {
    Panel::lines("Tool latency p95", "s")
        .about("Duration of executions of tools.")
        .query(Mode::Range, quantile_at(0.95, &[g::TOOL_NAME], &increment(i::TOOL_BUCKETS)), TOOL)
        .traces(tool_spans(""))
}

fn tool_errors() -> Panel {
    let errors = total(&[g::TOOL_NAME, ERROR_TYPE], &increment(i::TOOLS).not(ERROR_TYPE, ""));
    Panel::bars("Tool errors by type", "short")
        .about("Executions of tools that failed in the time range.")
        .query(Mode::Instant, or_none(&errors, &label_name(ERROR_TYPE)), TOOL_AND_ERROR)
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
}
