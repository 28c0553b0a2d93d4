//! Spans that the library defines, with their attributes.

use crate::semconv::attribute as a;

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
/// One wait for a person's decision.
pub const WORKFLOW_APPROVAL: &str = "workflow.approval";

const fn at(key: &'static str, value: AttributeType, when: RequirementLevel) -> SpanAttribute {
    SpanAttribute { key, value, when }
}

use AttributeType::Bool;
use AttributeType::Int;
use AttributeType::String;
use RequirementLevel::End;
use RequirementLevel::Start;
use RequirementLevel::When;

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
            at(a::WORKFLOW_STATUS, String, End),
            at(a::WORKFLOW_DURATION_MS, Int, End),
            at(a::ERROR_TYPE, String, When("the unit failed or timed out")),
            at(a::WORKFLOW_SUSPEND_REASON, String, When("the segment was suspended")),
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
            at(a::AGENT_STATUS, String, End),
            at(a::AGENT_DURATION_MS, Int, End),
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
