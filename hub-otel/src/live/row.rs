//! One row of the waterfall: the kind, the name and the state of a span.

use crate::semconv::gen_ai;
use crate::semconv::gen_ai::operation;
use crate::semconv::{attribute as a, status};
use opentelemetry::trace::Status;
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use serde::Serialize;
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest name of a row in characters.
const MAX_NAME: usize = 160;
/// Characters of the end of an id that distinguish it. The begin of a UUIDv7 is a time.
const ID_END: usize = 6;
/// Longest last part of an id in characters.
const MAX_PART: usize = 24;

/// The kind of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Workflow,
    Agent,
    Llm,
    Tool,
    Approval,
    Db,
    Http,
    Span,
}

impl Kind {
    /// Returns whether the span is a unit of a run.
    pub(super) fn is_unit(self) -> bool {
        matches!(self, Self::Workflow | Self::Agent)
    }
}

/// The state of a span or of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Running,
    Waiting,
    Suspended,
    Success,
    Failed,
    #[serde(rename = "timed out")]
    TimedOut,
    Cancelled,
    Rejected,
}

impl State {
    /// Converts a value of `workflow.status` or `agent.status`.
    fn of_unit(text: &str) -> Option<Self> {
        Some(match text {
            status::SUCCESS => Self::Success,
            status::FAILED => Self::Failed,
            status::TIMED_OUT => Self::TimedOut,
            status::CANCELLED => Self::Cancelled,
            status::REJECTED => Self::Rejected,
            status::SUSPENDED => Self::Suspended,
            _ => return None,
        })
    }

    /// Returns whether a run in this state has ended.
    pub(super) fn is_terminal(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting | Self::Suspended)
    }

    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

/// Returns the last value of `key`: a span in progress may contain a key twice.
pub(super) fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().rev().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| &attribute.value)
}

/// Returns the text of `key`.
pub(super) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<Cow<'a, str>> {
    value(attributes, key).map(Value::as_str)
}

/// Returns the number of `key`.
pub(super) fn number(attributes: &[KeyValue], key: &str) -> Option<f64> {
    match value(attributes, key)? {
        Value::I64(number) => Some(*number as f64),
        Value::F64(number) => Some(*number),
        _ => None,
    }
}

/// Returns a time in microseconds since 1970: a number that JavaScript represents exactly.
pub(super) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the kind of a span.
pub(super) fn kind(span: &SpanData) -> Kind {
    let has = |key| value(&span.attributes, key).is_some();
    if has(a::WORKFLOW_TRIGGER) {
        return Kind::Workflow;
    }
    if has(a::AGENT_ACTION) {
        return Kind::Agent;
    }
    if has(a::WORKFLOW_APPROVAL_ID) {
        return Kind::Approval;
    }
    if let Some(name) = text(&span.attributes, gen_ai::OPERATION_NAME) {
        if name == operation::EMBEDDINGS || operation::INFERENCE.contains(&&*name) {
            return Kind::Llm;
        }
        if name == operation::EXECUTE_TOOL {
            return Kind::Tool;
        }
    }
    if has(a::DB_SYSTEM_NAME) {
        return Kind::Db;
    }
    if has(a::HTTP_REQUEST_METHOD) { Kind::Http } else { Kind::Span }
}

/// Returns the name of a row.
pub(super) fn name(span: &SpanData, kind: Kind) -> String {
    let get = |key| text(&span.attributes, key);
    let name = match kind {
        Kind::Workflow => get(a::WORKFLOW_NAME).or_else(|| get(a::WORKFLOW_ID)),
        Kind::Agent => {
            let agent = get(a::AGENT_NAME).or_else(|| get(a::AGENT_ID)).unwrap_or_default();
            let action = get(a::AGENT_ACTION).unwrap_or_default();
            Some(format!("{agent} · {action}").into())
        }
        Kind::Approval => get(a::WORKFLOW_APPROVAL_ID),
        Kind::Tool => get(gen_ai::TOOL_NAME),
        _ => None,
    };
    cut(&name.unwrap_or(Cow::Borrowed(&*span.name)), MAX_NAME)
}

/// Returns the end of the id of an agent's execution: its last part, or its last characters.
pub(super) fn execution(span: &SpanData, kind: Kind) -> Option<Box<str>> {
    let id = text(&span.attributes, a::AGENT_RUN_ID).filter(|_| kind == Kind::Agent)?;
    if let Some((_, last)) = id.rsplit_once('/') {
        return Some(cut(last, MAX_PART).into());
    }
    let (index, _) = id.char_indices().rev().nth(ID_END - 1)?;
    Some(format!("…{}", &id[index..]).into())
}

/// Returns the state of a span that has ended.
pub(super) fn ended_state(span: &SpanData) -> State {
    let unit = text(&span.attributes, a::WORKFLOW_STATUS)
        .or_else(|| text(&span.attributes, a::AGENT_STATUS));
    if let Some(state) = unit.and_then(|status| State::of_unit(&status)) {
        return state;
    }
    match span.status {
        Status::Error { .. } => State::Failed,
        _ => State::Success,
    }
}

/// Returns the first characters of a text.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((index, _)) => format!("{}…", &text[..index]),
        None => text.to_owned(),
    }
}
