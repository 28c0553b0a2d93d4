//! Spans that the library defines, with their attributes.

use crate::semconv::attribute as a;
use crate::semconv::gen_ai as g;

/// Definition of a span.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Name of the span.
    pub name: &'static str,
    /// Span kind, in the spelling of the OpenTelemetry specification.
    pub kind: &'static str,
    /// Attributes of the span.
    pub attributes: &'static [SpanAttribute],
}

/// Definition of an attribute of a [`Span`].
///
/// ```
/// use hub_otel::semconv::{SPANS, span};
///
/// let workflow = SPANS.iter().find(|span| span.name == span::WORKFLOW_EXECUTE).unwrap();
/// assert!(workflow.attributes.iter().any(|attribute| attribute.key == "workflow.run.id"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SpanAttribute {
    /// Key of the attribute.
    pub key: &'static str,
    /// Type of the value.
    pub value: AttributeType,
    /// Condition under which the attribute is present.
    pub when: RequirementLevel,
}

/// Type of an attribute value.
///
/// ```
/// use hub_otel::semconv::{AttributeType, SPANS};
///
/// let mut attributes = SPANS.iter().flat_map(|span| span.attributes);
/// let duration = attributes.find(|attribute| attribute.key == "workflow.duration.ms").unwrap();
/// assert_eq!(duration.value, AttributeType::Int);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// UTF-8 string.
    String,
    /// Signed 64-bit integer.
    Int,
    /// Boolean.
    Bool,
    /// 64-bit floating point number.
    Double,
    /// Array of strings.
    Strings,
}

/// Condition under which an attribute is present.
///
/// ```
/// use hub_otel::semconv::{RequirementLevel, SPANS};
///
/// let mut attributes = SPANS.iter().flat_map(|span| span.attributes);
/// let status = attributes.find(|attribute| attribute.key == "workflow.status").unwrap();
/// assert_eq!(status.when, RequirementLevel::End);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequirementLevel {
    /// Present on every span, set at its start.
    Start,
    /// Present on every span, set at its end.
    End,
    /// Present if the condition, given as text, holds.
    When(&'static str),
}

/// One segment of a workflow run.
pub const WORKFLOW_EXECUTE: &str = "workflow.execute";
/// One logical execution of an agent, including all attempts and backoffs.
pub const AGENT_EXECUTE: &str = "agent.execute";
/// One call of a model. A template: `chat gpt-4o`, for a retrieval the data source in place of the
/// model.
pub const INFERENCE: &str = "{gen_ai.operation.name} {gen_ai.request.model}";
/// One execution of a tool. A template: `execute_tool search`.
pub const EXECUTE_TOOL: &str = "execute_tool {gen_ai.tool.name}";
/// One wait for a person's decision.
pub const WORKFLOW_APPROVAL: &str = "workflow.approval";

const fn at(key: &'static str, value: AttributeType, when: RequirementLevel) -> SpanAttribute {
    SpanAttribute { key, value, when }
}

use AttributeType::Bool;
use AttributeType::Double;
use AttributeType::Int;
use AttributeType::String;
use AttributeType::Strings;
use RequirementLevel::End;
use RequirementLevel::Start;
use RequirementLevel::When;

const GEN_AI: RequirementLevel = When("the GenAI attributes are on, as by default");
const CONVERSATION: RequirementLevel = When("the run has a conversation");
const REQUEST: RequirementLevel = When("the request sets it");
const CONTENT: RequirementLevel = When("content is recorded, by consent only");
const REPORTED: RequirementLevel = When("it is reported");
const LAYER: RequirementLevel = When("`OpenAiLayer` records the call");
const LAYER_REQUEST: RequirementLevel = When("`OpenAiLayer` records the call, and it is requested");
const LAYER_REPORTED: RequirementLevel = When("`OpenAiLayer` records the call, and it is reported");

/// All spans that the library defines. HTTP and database spans follow the semantic conventions.
pub const SPANS: &[Span] = &[
    Span {
        name: WORKFLOW_EXECUTE,
        kind: "INTERNAL",
        attributes: &[
            at(a::WORKFLOW_RUN_ID, String, Start),
            at(a::WORKFLOW_ID, String, Start),
            at(a::WORKFLOW_NAME, String, Start),
            at(a::WORKFLOW_TRIGGER, String, Start),
            at(g::OPERATION_NAME, String, GEN_AI),
            at(g::WORKFLOW_NAME, String, GEN_AI),
            at(g::AGENT_NAME, String, When("the latest GenAI names are chosen")),
            at(g::CONVERSATION_ID, String, CONVERSATION),
            at(a::WORKFLOW_STATUS, String, End),
            at(a::WORKFLOW_DURATION_MS, Int, End),
            at(a::WORKFLOW_COST_USD, Double, When("calls of models below it have a cost")),
            at(a::ERROR_TYPE, String, When("the unit failed or timed out")),
            at(a::WORKFLOW_SUSPEND_REASON, String, When("the segment was suspended")),
            at(a::WORKFLOW_QUEUE_WAIT_TIME_MS, Int, When("the run was queued before it started")),
            at(a::EXPECTED_ERROR, Bool, When("the error is declared as expected")),
            at(a::ENDED_BY, String, When("the shutdown of telemetry ended the unit")),
            at(a::STREAM_ITEMS, Int, When("the unit is a stream")),
            at(a::STREAM_FIRST_ITEM_MS, Int, When("the unit is a stream with an item")),
        ],
    },
    Span {
        name: AGENT_EXECUTE,
        kind: "INTERNAL",
        attributes: &[
            at(a::AGENT_ID, String, Start),
            at(a::AGENT_NAME, String, When("a name is set")),
            at(a::AGENT_ACTION, String, Start),
            at(a::AGENT_RUN_ID, String, Start),
            at(a::WORKFLOW_RUN_ID, String, When("a workflow encloses the agent")),
            at(a::WORKFLOW_ID, String, When("a workflow encloses the agent")),
            at(g::OPERATION_NAME, String, GEN_AI),
            at(g::AGENT_NAME, String, GEN_AI),
            at(g::AGENT_ID, String, When("both GenAI names are chosen")),
            at(g::CONVERSATION_ID, String, CONVERSATION),
            at(a::AGENT_STATUS, String, End),
            at(a::AGENT_DURATION_MS, Int, End),
            at(a::AGENT_COST_USD, Double, When("calls of models below it have a cost")),
            at(a::AGENT_RETRY_COUNT, Int, When("the count is greater than 0")),
            at(a::ERROR_TYPE, String, When("the unit failed or timed out")),
            at(a::ERROR_MESSAGE, String, When("the unit failed or timed out")),
            at(a::EXPECTED_ERROR, Bool, When("the error is declared as expected")),
            at(a::ENDED_BY, String, When("the shutdown of telemetry ended the unit")),
            at(a::STREAM_ITEMS, Int, When("the unit is a stream")),
            at(a::STREAM_FIRST_ITEM_MS, Int, When("the unit is a stream with an item")),
        ],
    },
    Span {
        name: INFERENCE,
        kind: "CLIENT",
        attributes: &[
            at(g::OPERATION_NAME, String, Start),
            at(g::PROVIDER_NAME, String, When("it is set")),
            at(g::REQUEST_MODEL, String, When("it is set")),
            at(g::DATA_SOURCE_ID, String, When("it is set")),
            at(g::CONVERSATION_ID, String, CONVERSATION),
            at(a::WORKFLOW_RUN_ID, String, When("a workflow encloses the call")),
            at(a::WORKFLOW_ID, String, When("a workflow encloses the call")),
            at(g::REQUEST_TEMPERATURE, Double, REQUEST),
            at(g::REQUEST_TOP_P, Double, REQUEST),
            at(g::REQUEST_TOP_K, Double, REQUEST),
            at(g::REQUEST_MAX_TOKENS, Int, REQUEST),
            at(g::REQUEST_FREQUENCY_PENALTY, Double, REQUEST),
            at(g::REQUEST_PRESENCE_PENALTY, Double, REQUEST),
            at(g::REQUEST_SEED, Int, REQUEST),
            at(g::REQUEST_CHOICE_COUNT, Int, When("the request sets it and it is not 1")),
            at(g::REQUEST_STOP_SEQUENCES, Strings, REQUEST),
            at(g::REQUEST_ENCODING_FORMATS, Strings, REQUEST),
            at(g::EMBEDDINGS_DIMENSION_COUNT, Int, REQUEST),
            at(g::OUTPUT_TYPE, String, REQUEST),
            at(g::REQUEST_STREAM, Bool, When("the response is streamed")),
            at(a::SERVER_ADDRESS, String, LAYER),
            at(a::SERVER_PORT, Int, LAYER),
            at(g::OPENAI_API_TYPE, String, LAYER),
            at(g::OPENAI_REQUEST_SERVICE_TIER, String, LAYER_REQUEST),
            at(g::OPENAI_RESPONSE_SERVICE_TIER, String, LAYER_REPORTED),
            at(g::OPENAI_RESPONSE_SYSTEM_FINGERPRINT, String, LAYER_REPORTED),
            at(g::RESPONSE_MODEL, String, REPORTED),
            at(g::RESPONSE_ID, String, REPORTED),
            at(g::RESPONSE_FINISH_REASONS, Strings, REPORTED),
            at(g::RESPONSE_TIME_TO_FIRST_CHUNK, Double, When("a chunk was received")),
            at(g::USAGE_INPUT_TOKENS, Int, REPORTED),
            at(g::USAGE_OUTPUT_TOKENS, Int, REPORTED),
            at(g::USAGE_CACHE_READ_TOKENS, Int, REPORTED),
            at(g::USAGE_CACHE_CREATION_TOKENS, Int, REPORTED),
            at(g::USAGE_CACHE_WRITE_TOKENS, Int, When("it is reported, in the latest names")),
            at(g::USAGE_REASONING_TOKENS, Int, REPORTED),
            at(g::USAGE_COST, Double, When("the model has a price, or the cost is reported")),
            at(g::SYSTEM_INSTRUCTIONS, String, CONTENT),
            at(g::INPUT_MESSAGES, String, CONTENT),
            at(g::OUTPUT_MESSAGES, String, CONTENT),
            at(a::STATUS, String, End),
            at(a::ERROR_TYPE, String, When("the unit failed or timed out")),
            at(a::EXPECTED_ERROR, Bool, When("the error is declared as expected")),
            at(a::ENDED_BY, String, When("the shutdown of telemetry ended the unit")),
            at(a::STREAM_ITEMS, Int, When("the unit is a stream")),
            at(a::STREAM_FIRST_ITEM_MS, Int, When("the unit is a stream with an item")),
        ],
    },
    Span {
        name: EXECUTE_TOOL,
        kind: "INTERNAL",
        attributes: &[
            at(g::OPERATION_NAME, String, Start),
            at(g::TOOL_NAME, String, Start),
            at(g::TOOL_CALL_ID, String, When("it is set")),
            at(g::TOOL_CALL_ARGUMENTS, String, CONTENT),
            at(g::TOOL_CALL_RESULT, String, CONTENT),
            at(g::CONVERSATION_ID, String, CONVERSATION),
            at(a::WORKFLOW_RUN_ID, String, When("a workflow encloses the call")),
            at(a::WORKFLOW_ID, String, When("a workflow encloses the call")),
            at(a::STATUS, String, End),
            at(a::ERROR_TYPE, String, When("the unit failed or timed out")),
            at(a::EXPECTED_ERROR, Bool, When("the error is declared as expected")),
            at(a::ENDED_BY, String, When("the shutdown of telemetry ended the unit")),
            at(a::STREAM_ITEMS, Int, When("the unit is a stream")),
            at(a::STREAM_FIRST_ITEM_MS, Int, When("the unit is a stream with an item")),
        ],
    },
    Span {
        name: WORKFLOW_APPROVAL,
        kind: "INTERNAL",
        attributes: &[
            at(a::WORKFLOW_APPROVAL_ID, String, Start),
            at(a::WORKFLOW_RUN_ID, String, Start),
            at(a::WORKFLOW_ID, String, Start),
            at(a::WORKFLOW_APPROVAL_DECISION, String, End),
        ],
    },
];
