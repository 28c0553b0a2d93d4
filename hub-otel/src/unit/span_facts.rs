//! Attributes, status and exception of a unit's span, from its record: the place that defines what
//! the span of a workflow and of an agent contains. [`call`](crate::unit::call) defines the
//! attributes of a call.
//!
//! Evaluated on the export thread, or where the SDK's data of a span is needed.
#![cfg_attr(
    not(feature = "sdk"),
    expect(dead_code, reason = "without the SDK nothing is exported")
)]

use crate::options::Exceptions;
use crate::semconv::{attribute as a, error_type, kv, status};
use crate::status::UnitStatus;
use crate::unit::ending::{Failure, SpanEnd};
use crate::unit::gen_ai;
use crate::unit::run_attributes::RunAttributes;
use crate::unit::span::{RecordLimits, UnitSpan};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::Status;
use opentelemetry::{KeyValue, StringValue, Value};
use std::time::SystemTime;

/// An attribute of a span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeRef<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: ValueRef<'a>,
}

/// Value of an attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueRef<'a> {
    Text(&'a str),
    Integer(i64),
    Bool(bool),
    /// A value of the user.
    Value(&'a Value),
}

impl AttributeRef<'_> {
    pub(crate) fn to_key_value(self) -> KeyValue {
        let key = self.key.to_owned();
        match self.value {
            ValueRef::Text(text) => kv(key, text.to_owned()),
            ValueRef::Integer(value) => kv(key, value),
            ValueRef::Bool(value) => kv(key, value),
            ValueRef::Value(value) => kv(key, value.clone()),
        }
    }
}

impl<'a> From<&'a KeyValue> for AttributeRef<'a> {
    fn from(attribute: &'a KeyValue) -> Self {
        Self { key: attribute.key.as_str(), value: ValueRef::Value(&attribute.value) }
    }
}

/// The exception of a failed unit.
pub(crate) struct ExceptionRef<'a> {
    pub(crate) exception_type: &'a str,
    pub(crate) message: &'a str,
}

impl<'a> ExceptionRef<'a> {
    pub(crate) fn attributes(&self) -> [AttributeRef<'a>; 2] {
        [text(a::EXCEPTION_TYPE, self.exception_type), text(a::EXCEPTION_MESSAGE, self.message)]
    }
}

/// Status of a span.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StatusRef<'a> {
    Unset,
    Ok,
    /// With its description.
    Error(&'a str),
}

fn text<'a>(key: &'static str, value: &'a str) -> AttributeRef<'a> {
    AttributeRef { key, value: ValueRef::Text(value) }
}

/// A span of a unit as the export reads it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanFacts<'a> {
    pub(crate) span: &'a UnitSpan,
    /// `None` while the unit runs.
    pub(crate) end: Option<&'a SpanEnd>,
}

impl<'a> SpanFacts<'a> {
    /// Collects the attributes in the order in which they were set: at most `limits.attributes`,
    /// of which the last one of each key is kept, because OTLP requires unique keys. Returns the
    /// number of dropped ones.
    ///
    /// <https://opentelemetry.io/docs/specs/otel/common/#attribute-collections>
    pub(crate) fn attributes(
        self,
        limits: &RecordLimits,
        attributes: &mut Vec<AttributeRef<'a>>,
    ) -> u32 {
        self.span.start_attributes(attributes);
        attributes.extend(self.span.fields.iter().map(AttributeRef::from));
        self.end_attributes(attributes);
        self.span.gen_ai_attributes(attributes);
        let dropped = attributes.len().saturating_sub(limits.attributes);
        attributes.truncate(limits.attributes);
        keep_last(attributes, |attribute| attribute.key);
        let dropped_before = self.span.rare.as_ref().map_or(0, |rare| rare.dropped_attributes);
        u32::try_from(dropped).unwrap_or(u32::MAX).saturating_add(dropped_before)
    }

    /// Collects the attributes of the end.
    pub(crate) fn end_attributes(self, attributes: &mut Vec<AttributeRef<'a>>) {
        let Some(end) = self.end else { return };
        let (ending, kind) = (&end.ending, self.span.kind);
        let (status_key, duration_key) = match kind {
            UnitKind::Workflow => (a::WORKFLOW_STATUS, Some(a::WORKFLOW_DURATION_MS)),
            UnitKind::Agent => (a::AGENT_STATUS, Some(a::AGENT_DURATION_MS)),
            UnitKind::Llm | UnitKind::Tool => (a::STATUS, None),
        };
        let is_suspended = end.suspended.is_some();
        let status = if is_suspended { status::SUSPENDED } else { ending.status.as_str() };
        let integer = |key, value| AttributeRef { key, value: ValueRef::Integer(value) };
        let elapsed_ms = i64::try_from(end.elapsed.as_millis()).unwrap_or(i64::MAX);
        attributes.push(text(status_key, status));
        attributes.extend(duration_key.map(|key| integer(key, elapsed_ms)));
        if end.retries > 0 && kind == UnitKind::Agent {
            attributes.push(integer(a::AGENT_RETRY_COUNT, end.retries));
        }
        attributes.extend(ending.attributes.iter().map(AttributeRef::from));
        if let Some(reason) = &end.suspended {
            attributes.push(text(a::WORKFLOW_SUSPEND_REASON, reason));
        } else if ending.status.is_failure() {
            // Without an error, `status = …` returned a failure for a value that is none.
            let error_type = ending.failure.as_ref().map_or(error_type::OTHER, Failure::error_type);
            attributes.push(text(a::ERROR_TYPE, error_type));
            if kind == UnitKind::Agent
                && let Some(failure) = &ending.failure
            {
                attributes.push(text(a::ERROR_MESSAGE, failure.description()));
            }
        } else if ending.expected {
            attributes.push(AttributeRef { key: a::EXPECTED_ERROR, value: ValueRef::Bool(true) });
        }
    }

    /// Returns the exception, which is the last event of a failed unit.
    pub(crate) fn exception(self) -> Option<ExceptionRef<'a>> {
        let end = self.end?;
        let is_failure = end.suspended.is_none() && end.ending.status.is_failure();
        let failure = end.ending.failure.as_ref().filter(|_| is_failure)?;
        (end.exceptions != Exceptions::Log).then(|| ExceptionRef {
            exception_type: match failure.exception_type {
                "" => failure.error_type(),
                name => name,
            },
            message: failure.description(),
        })
    }

    /// Returns the status. Where the unit leaves it unset, the user's is kept.
    pub(crate) fn status(self) -> StatusRef<'a> {
        if let Some(SpanEnd { ending, suspended: None, ok_status, .. }) = self.end {
            if ending.status.is_failure() {
                let description = ending.failure.as_ref().map_or("", Failure::description);
                return StatusRef::Error(description);
            }
            if ending.status == UnitStatus::Success && !ending.expected && *ok_status {
                return StatusRef::Ok;
            }
        }
        match self.span.rare.as_ref().map(|rare| &rare.user_status) {
            None | Some(Status::Unset) => StatusRef::Unset,
            Some(Status::Ok) => StatusRef::Ok,
            Some(Status::Error { description }) => StatusRef::Error(description),
        }
    }

    /// Returns the time of the end.
    pub(crate) fn ended(self) -> SystemTime {
        self.span.started + self.end.map(|end| end.elapsed).unwrap_or_default()
    }
}

impl UnitSpan {
    /// Collects the attributes of the identity.
    pub(crate) fn start_attributes<'a>(&'a self, attributes: &mut Vec<AttributeRef<'a>>) {
        let identity = &self.identity;
        let (id, action) = (identity.id.as_str(), identity.trigger_or_action.as_str());
        let name = identity.name.as_ref().map(StringValue::as_str);
        let run_id = identity.run_id.as_ref().map_or("", StringValue::as_str);
        match self.kind {
            UnitKind::Workflow => attributes.extend([
                text(a::WORKFLOW_RUN_ID, run_id),
                text(a::WORKFLOW_ID, id),
                text(a::WORKFLOW_NAME, name.unwrap_or(id)),
                text(a::WORKFLOW_TRIGGER, action),
            ]),
            UnitKind::Agent => {
                attributes.push(text(a::AGENT_ID, id));
                attributes.extend(name.map(|name| text(a::AGENT_NAME, name)));
                attributes.push(text(a::AGENT_ACTION, action));
                attributes.push(text(a::AGENT_RUN_ID, run_id));
                if let Some(workflow) = &identity.workflow {
                    let run_id = workflow.run_id.as_ref();
                    attributes
                        .extend(run_id.map(|run_id| text(a::WORKFLOW_RUN_ID, run_id.as_str())));
                    attributes.push(text(a::WORKFLOW_ID, workflow.id.as_str()));
                }
            }
            // Those of a call are fields.
            UnitKind::Llm | UnitKind::Tool => {}
        }
        let of_the_run = identity.run_attributes.iter().flat_map(RunAttributes::iter);
        attributes.extend(of_the_run.map(AttributeRef::from));
    }

    /// Collects the GenAI attributes of a workflow or an agent: the last ones, so that a low limit
    /// drops none of the others in favour of them.
    pub(crate) fn gen_ai_attributes<'a>(&'a self, attributes: &mut Vec<AttributeRef<'a>>) {
        if let Some(names) = self.gen_ai {
            let id = self.identity.id.as_str();
            let name = self.identity.name.as_ref().map_or(id, StringValue::as_str);
            let described = gen_ai::describe(self.kind, names, id, name);
            attributes.extend(described.into_iter().flatten().map(|(key, value)| text(key, value)));
        }
    }
}

/// Removes all but the last item of each key.
pub(crate) fn keep_last<T>(items: &mut Vec<T>, key: impl Fn(&T) -> &str) {
    let mut index = 0;
    while index < items.len() {
        let (first, later) = (key(&items[index]), &items[index + 1..]);
        if later.iter().any(|item| key(item) == first) {
            items.remove(index);
        } else {
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_is_kept() {
        let mut attributes = vec![kv("a", 1), kv("b", 2), kv("a", 3), kv("c", 4), kv("a", 5)];
        keep_last(&mut attributes, |attribute| attribute.key.as_str());
        assert_eq!(attributes, [kv("b", 2), kv("c", 4), kv("a", 5)]);
    }
}
