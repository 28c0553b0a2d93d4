//! Increments of calls of models and of tools. A service that emits only the latest names of the
//! GenAI conventions is counted by them; a service that emits both is not counted twice.

use super::Increment;
use crate::promql::{LE, Series};
use hub_otel::semconv::attribute::label::{AGENT_ID, MODEL, TYPE, WORKFLOW_ID};
use hub_otel::semconv::attribute::{ERROR_TYPE, SERVICE_NAME};
use hub_otel::semconv::gen_ai::{self as g, token_type};
use hub_otel::semconv::metric as m;

/// Calls of models, by operation, model and error type.
pub const CALLS: &str = "gen_ai:calls:increase1m";
/// Buckets of the durations of calls of models, by model.
pub const CALL_BUCKETS: &str = "gen_ai:duration_seconds_bucket:increase1m";
/// Buckets of the times to the first chunk, by model.
pub const CHUNK_BUCKETS: &str = "gen_ai:time_to_first_chunk_seconds_bucket:increase1m";
/// Buckets of the input tokens of one call, by model.
pub const INPUT_BUCKETS: &str = "gen_ai:input_tokens_per_call_bucket:increase1m";
/// Buckets of the output tokens of one call, by model.
pub const OUTPUT_BUCKETS: &str = "gen_ai:output_tokens_per_call_bucket:increase1m";
/// Input tokens of calls that report the latest names, by model.
pub const INPUT: &str = "gen_ai:input_tokens:increase1m";
/// Input tokens that the cache of the provider served, by model.
pub const CACHE_READ: &str = "gen_ai:cache_read_tokens:increase1m";
/// Input tokens that were written to the cache of the provider, by model.
pub const CACHE_WRITE: &str = "gen_ai:cache_write_tokens:increase1m";
/// Output tokens that were used for reasoning, by model.
pub const REASONING: &str = "gen_ai:reasoning_tokens:increase1m";
/// Executions of tools, by tool and error type.
pub const TOOLS: &str = "gen_ai:tools:increase1m";
/// Buckets of the durations of executions of tools, by tool.
pub const TOOL_BUCKETS: &str = "gen_ai:tool_duration_seconds_bucket:increase1m";
/// Cost of calls in US dollars, by agent, workflow and model.
pub const COST: &str = "agent:cost:increase1m";
/// Calls without a known price, by agent, workflow and model.
pub const UNPRICED: &str = "agent:unpriced_calls:increase1m";
/// Tokens of calls, by agent, workflow, model and type.
pub const TOKENS: &str = "agent:tokens:increase1m";

const BY_MODEL: &[&str] = &[SERVICE_NAME, g::REQUEST_MODEL];
const BUCKETS: &[&str] = &[SERVICE_NAME, g::REQUEST_MODEL, LE];
const BY_UNIT: &[&str] = &[SERVICE_NAME, AGENT_ID, WORKFLOW_ID, MODEL];

pub(super) fn increments() -> Vec<Increment> {
    let either = |name, labels, of, latest| Increment { name, labels, of, instead: Some(latest) };
    let of = |name, labels, of| Increment { name, labels, of, instead: None };
    let tokens = |kind| Series::buckets(&m::GEN_AI_TOKEN_USAGE).is(g::TOKEN_TYPE, kind);
    vec![
        either(
            CALLS,
            &[SERVICE_NAME, g::OPERATION_NAME, g::REQUEST_MODEL, ERROR_TYPE],
            Series::count(&m::GEN_AI_OPERATION_DURATION),
            Series::count(&m::GEN_AI_INFERENCE_DURATION),
        ),
        either(
            CALL_BUCKETS,
            BUCKETS,
            Series::buckets(&m::GEN_AI_OPERATION_DURATION),
            Series::buckets(&m::GEN_AI_INFERENCE_DURATION),
        ),
        either(
            CHUNK_BUCKETS,
            BUCKETS,
            Series::buckets(&m::GEN_AI_TIME_TO_FIRST_CHUNK),
            Series::buckets(&m::GEN_AI_INFERENCE_TIME_TO_FIRST_CHUNK),
        ),
        either(
            INPUT_BUCKETS,
            BUCKETS,
            tokens(token_type::INPUT),
            Series::buckets(&m::GEN_AI_INFERENCE_INPUT_TOKENS),
        ),
        either(
            OUTPUT_BUCKETS,
            BUCKETS,
            tokens(token_type::OUTPUT),
            Series::buckets(&m::GEN_AI_INFERENCE_OUTPUT_TOKENS),
        ),
        of(INPUT, BY_MODEL, Series::of(&m::GEN_AI_USAGE_INPUT_TOKENS)),
        of(CACHE_READ, BY_MODEL, Series::of(&m::GEN_AI_USAGE_CACHE_READ_TOKENS)),
        of(CACHE_WRITE, BY_MODEL, Series::of(&m::GEN_AI_USAGE_CACHE_WRITE_TOKENS)),
        of(REASONING, BY_MODEL, Series::of(&m::GEN_AI_USAGE_REASONING_TOKENS)),
        of(
            TOOLS,
            &[SERVICE_NAME, g::TOOL_NAME, ERROR_TYPE],
            Series::count(&m::GEN_AI_TOOL_DURATION),
        ),
        of(
            TOOL_BUCKETS,
            &[SERVICE_NAME, g::TOOL_NAME, LE],
            Series::buckets(&m::GEN_AI_TOOL_DURATION),
        ),
        of(COST, BY_UNIT, Series::of(&m::AGENT_COST)),
        of(UNPRICED, BY_UNIT, Series::of(&m::AGENT_COST_UNPRICED_CALLS)),
        of(
            TOKENS,
            &[SERVICE_NAME, AGENT_ID, WORKFLOW_ID, MODEL, TYPE],
            Series::of(&m::AGENT_TOKENS),
        ),
    ]
}
