//! The spans of the library's own, with their attributes.

use crate::semconv::attribute as a;

/// A span that hub-otel makes.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The span's name.
    pub name: &'static str,
    /// The span's kind, in OpenTelemetry's spelling.
    pub kind: &'static str,
    /// The attributes that it carries.
    pub attributes: &'static [SpanAttribute],
}

/// An attribute of a [`Span`].
#[derive(Debug, Clone, Copy)]
pub struct SpanAttribute {
    /// The attribute's key.
    pub key: &'static str,
    /// The type of its value.
    pub value: Type,
    /// When it is there.
    pub when: Requirement,
}

/// The type of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text.
    String,
    /// A signed 64-bit integer.
    Int,
    /// A truth value.
    Bool,
}

/// When an attribute is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// On every span, from its start.
    Start,
    /// On every span, from its end.
    End,
    /// Where the condition in words holds.
    When(&'static str),
}

/// One segment of a workflow's run.
pub const WORKFLOW_EXECUTE: &str = "workflow.execute";
/// One logical execution of an agent, all attempts and backoffs included.
pub const AGENT_EXECUTE: &str = "agent.execute";
/// One wait for a person's decision.
pub const WORKFLOW_APPROVAL: &str = "workflow.approval";

const fn at(key: &'static str, value: Type, when: Requirement) -> SpanAttribute {
    SpanAttribute { key, value, when }
}

use Requirement::End;
use Requirement::Start;
use Requirement::When;
use Type::Bool;
use Type::Int;
use Type::String;

/// Every span of the library's own. Spans of HTTP and of databases follow the semantic conventions.
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
            at(a::ERROR_TYPE, String, When("it failed or timed out")),
            at(a::WORKFLOW_SUSPEND_REASON, String, When("the segment was suspended")),
            at(a::EXPECTED_ERROR, Bool, When("the error was declared expected")),
        ],
    },
    Span {
        name: AGENT_EXECUTE,
        kind: "INTERNAL",
        attributes: &[
            at(a::AGENT_ID, String, Start),
            at(a::AGENT_NAME, String, When("a name was given")),
            at(a::AGENT_ACTION, String, Start),
            at(a::AGENT_RUN_ID, String, Start),
            at(a::WORKFLOW_RUN_ID, String, When("a workflow encloses the agent")),
            at(a::WORKFLOW_ID, String, When("a workflow encloses the agent")),
            at(a::AGENT_STATUS, String, End),
            at(a::AGENT_DURATION_MS, Int, End),
            at(a::AGENT_RETRY_COUNT, Int, When("it is greater than 0")),
            at(a::ERROR_TYPE, String, When("it failed or timed out")),
            at(a::ERROR_MESSAGE, String, When("it failed or timed out")),
            at(a::EXPECTED_ERROR, Bool, When("the error was declared expected")),
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
