//! Metrics of GenAI calls, by the GenAI semantic conventions.
//!
//! The released names are those of the semantic conventions 1.41. The names under
//! `gen_ai.client.inference.` are those of the repository semantic-conventions-genai of October
//! 2026; OTEL_SEMCONV_STABILITY_OPT_IN selects them.

use crate::semconv::attribute::label as l;
use crate::semconv::gen_ai as g;
use crate::semconv::metric::definition::{InstrumentKind, Metric, Stability};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

/// Powers of 4, up to 64 Mi tokens.
const TOKEN_BUCKETS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];

/// Doublings of 10 ms, up to 82 s.
const DURATION_BUCKETS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

const CALL: &[&str] = &[g::OPERATION_NAME, g::PROVIDER_NAME, g::REQUEST_MODEL];
const CALL_WITH_ERROR: &[&str] =
    &[g::OPERATION_NAME, g::PROVIDER_NAME, g::REQUEST_MODEL, ERROR_TYPE];
const CALL_WITH_MODALITY: &[&str] =
    &[g::OPERATION_NAME, g::PROVIDER_NAME, g::REQUEST_MODEL, g::TOKEN_MODALITY];

const fn histogram(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    labels: &'static [&'static str],
    buckets: &'static [f64],
    prometheus: &'static str,
) -> Metric {
    Metric {
        name,
        kind: InstrumentKind::Histogram,
        unit,
        description,
        labels,
        buckets,
        prometheus,
        stability: Stability::Stable,
    }
}

const fn token_counter(
    name: &'static str,
    description: &'static str,
    prometheus: &'static str,
) -> Metric {
    Metric {
        name,
        kind: InstrumentKind::Counter,
        unit: "{token}",
        description,
        labels: CALL_WITH_MODALITY,
        buckets: &[],
        prometheus,
        stability: Stability::Stable,
    }
}

/// Tokens of one call, by [`gen_ai.token.type`](g::TOKEN_TYPE).
pub const GEN_AI_TOKEN_USAGE: Metric = histogram(
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens of a GenAI call.",
    &[g::OPERATION_NAME, g::PROVIDER_NAME, g::REQUEST_MODEL, g::TOKEN_TYPE],
    TOKEN_BUCKETS,
    "gen_ai_client_token_usage",
);

/// Duration of one call. With the latest names: of calls that are no inference (embeddings).
pub const GEN_AI_OPERATION_DURATION: Metric = histogram(
    "gen_ai.client.operation.duration",
    "s",
    "Duration of a GenAI call.",
    CALL_WITH_ERROR,
    DURATION_BUCKETS,
    "gen_ai_client_operation_duration_seconds",
);

/// Time from the request to the first chunk of a streamed response.
pub const GEN_AI_TIME_TO_FIRST_CHUNK: Metric = histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time from the request to the first chunk of a streamed response.",
    CALL,
    DURATION_BUCKETS,
    "gen_ai_client_operation_time_to_first_chunk_seconds",
);

/// Duration of one tool execution.
pub const GEN_AI_TOOL_DURATION: Metric = histogram(
    "gen_ai.execute_tool.duration",
    "s",
    "Duration of a tool execution.",
    &[g::TOOL_NAME, ERROR_TYPE],
    DURATION_BUCKETS,
    "gen_ai_execute_tool_duration_seconds",
);

/// Latest name of [`GEN_AI_OPERATION_DURATION`] for inference.
pub const GEN_AI_INFERENCE_DURATION: Metric = histogram(
    "gen_ai.client.inference.duration",
    "s",
    "Duration of an inference call (latest conventions, opt-in).",
    CALL_WITH_ERROR,
    DURATION_BUCKETS,
    "gen_ai_client_inference_duration_seconds",
);

/// Latest name of [`GEN_AI_TIME_TO_FIRST_CHUNK`].
pub const GEN_AI_INFERENCE_TIME_TO_FIRST_CHUNK: Metric = histogram(
    "gen_ai.client.inference.time_to_first_chunk",
    "s",
    "Time from the request to the first chunk of a streamed response (latest conventions, opt-in).",
    CALL,
    DURATION_BUCKETS,
    "gen_ai_client_inference_time_to_first_chunk_seconds",
);

/// Latest name of [`GEN_AI_TOKEN_USAGE`] for the distribution of input tokens.
pub const GEN_AI_INFERENCE_INPUT_TOKENS: Metric = histogram(
    "gen_ai.client.inference.operation.input_tokens",
    "{token}",
    "Number of input tokens of an inference call (latest conventions, opt-in).",
    CALL_WITH_ERROR,
    TOKEN_BUCKETS,
    "gen_ai_client_inference_operation_input_tokens",
);

/// Latest name of [`GEN_AI_TOKEN_USAGE`] for the distribution of output tokens.
pub const GEN_AI_INFERENCE_OUTPUT_TOKENS: Metric = histogram(
    "gen_ai.client.inference.operation.output_tokens",
    "{token}",
    "Number of output tokens of an inference call (latest conventions, opt-in).",
    CALL_WITH_ERROR,
    TOKEN_BUCKETS,
    "gen_ai_client_inference_operation_output_tokens",
);

/// Sum of input tokens, cached ones included.
pub const GEN_AI_USAGE_INPUT_TOKENS: Metric = token_counter(
    "gen_ai.client.inference.usage.input_tokens",
    "Input tokens, cached ones included (latest conventions, opt-in).",
    "gen_ai_client_inference_usage_input_tokens_total",
);

/// Sum of output tokens, reasoning included.
pub const GEN_AI_USAGE_OUTPUT_TOKENS: Metric = token_counter(
    "gen_ai.client.inference.usage.output_tokens",
    "Output tokens, reasoning included (latest conventions, opt-in).",
    "gen_ai_client_inference_usage_output_tokens_total",
);

/// Sum of input tokens that were read from the provider's cache.
pub const GEN_AI_USAGE_CACHE_READ_TOKENS: Metric = token_counter(
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "Input tokens that were read from the provider's cache (latest conventions, opt-in).",
    "gen_ai_client_inference_usage_cache_read_input_tokens_total",
);

/// Sum of input tokens that were written to the provider's cache.
pub const GEN_AI_USAGE_CACHE_WRITE_TOKENS: Metric = token_counter(
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "Input tokens that were written to the provider's cache (latest conventions, opt-in).",
    "gen_ai_client_inference_usage_cache_write_input_tokens_total",
);

/// Sum of output tokens that were used for reasoning.
pub const GEN_AI_USAGE_REASONING_TOKENS: Metric = token_counter(
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "Output tokens that were used for reasoning (latest conventions, opt-in).",
    "gen_ai_client_inference_usage_reasoning_output_tokens_total",
);

/// Cost of calls, by agent, workflow and model.
pub const AGENT_COST: Metric = Metric {
    name: "agent.cost",
    kind: InstrumentKind::Counter,
    unit: "{USD}",
    description: "Cost of GenAI calls in US dollars.",
    labels: &[l::AGENT_ID, l::WORKFLOW_ID, l::MODEL, l::SOURCE],
    buckets: &[],
    prometheus: "agent_cost_total",
    stability: Stability::Stable,
};

/// Tokens of calls, by agent, workflow and model.
pub const AGENT_TOKENS: Metric = Metric {
    name: "agent.tokens",
    kind: InstrumentKind::Counter,
    unit: "{token}",
    description: "Tokens of GenAI calls.",
    labels: &[l::AGENT_ID, l::WORKFLOW_ID, l::MODEL, l::TYPE],
    buckets: &[],
    prometheus: "agent_tokens_total",
    stability: Stability::Stable,
};

/// Calls that are not part of [`AGENT_COST`], because their price is not known.
pub const AGENT_COST_UNPRICED_CALLS: Metric = Metric {
    name: "agent.cost.unpriced_calls",
    kind: InstrumentKind::Counter,
    unit: "{call}",
    description: "GenAI calls without a known price, which the cost does not contain.",
    labels: &[l::AGENT_ID, l::WORKFLOW_ID, l::MODEL],
    buckets: &[],
    prometheus: "agent_cost_unpriced_calls_total",
    stability: Stability::Stable,
};

/// Age of the bundled price table.
pub const PRICE_TABLE_AGE: Metric = Metric {
    name: "hub_otel.price_table.age",
    kind: InstrumentKind::Gauge,
    unit: "s",
    description: "Age of the bundled table of model prices.",
    labels: &[],
    buckets: &[],
    prometheus: "hub_otel_price_table_age_seconds",
    stability: Stability::Stable,
};
