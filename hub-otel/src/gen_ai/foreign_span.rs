//! Facts of the spans of other libraries, by the GenAI conventions: rig, genai, and others that
//! record such spans through `tracing` or OpenTelemetry.

use crate::budget::account::{CallKind, Charge};
use crate::gen_ai::recorder::{GenAiRecorder, is_counted};
use crate::gen_ai::{InferenceFacts, Run, ToolFacts, Usage};
use crate::semconv::gen_ai::{self as g, operation};
use crate::semconv::{SCOPE, attribute as a, error_type, kv};
use opentelemetry::trace::Status;
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;
use std::borrow::Cow;
use std::time::Duration;

/// Returns whether a finished span may be a call: the ones of this library are not, which records
/// its units itself.
pub(crate) fn is_foreign_call(span: &SpanData) -> bool {
    span.instrumentation_scope.name() != SCOPE
        && Attributes(&span.attributes).get(g::OPERATION_NAME).is_some()
}

/// The call that a finished span is.
pub(crate) enum ForeignCall {
    Inference(InferenceFacts),
    Tool(ToolFacts),
}

impl ForeignCall {
    pub(crate) fn kind(&self) -> CallKind {
        match self {
            Self::Inference(_) => CallKind::Llm,
            Self::Tool(_) => CallKind::Tool,
        }
    }
}

/// Returns the call that a finished span is; `None` for an operation that is not counted.
pub(crate) fn foreign_call(span: &SpanData, run: Run) -> Option<ForeignCall> {
    let attributes = Attributes(&span.attributes);
    let operation = attributes.text(g::OPERATION_NAME)?;
    let duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
    let error_type = match (attributes.text(a::ERROR_TYPE), &span.status) {
        (Some(error_type), _) => Some(Cow::Owned(error_type.into())),
        (None, Status::Error { .. }) => Some(Cow::Borrowed(error_type::OTHER)),
        (None, Status::Ok | Status::Unset) => None,
    };
    if operation.as_str() == operation::EXECUTE_TOOL {
        let name = attributes.text(g::TOOL_NAME)?;
        return Some(ForeignCall::Tool(ToolFacts { name, duration, error_type, run }));
    }
    is_counted(operation.as_str()).then(|| {
        ForeignCall::Inference(InferenceFacts {
            operation,
            provider: attributes.text(g::PROVIDER_NAME).or_else(|| attributes.text(g::SYSTEM)),
            request_model: attributes.text(g::REQUEST_MODEL),
            response_model: attributes.text(g::RESPONSE_MODEL),
            usage: Usage {
                input: attributes.count(&[g::USAGE_INPUT_TOKENS]),
                output: attributes.count(&[g::USAGE_OUTPUT_TOKENS]),
                cache_read: attributes.count(&[g::USAGE_CACHE_READ_TOKENS]),
                cache_write: attributes
                    .count(&[g::USAGE_CACHE_WRITE_TOKENS, g::USAGE_CACHE_CREATION_TOKENS]),
                reasoning: attributes
                    .count(&[g::USAGE_REASONING_TOKENS, g::USAGE_REASONING_TOKENS_RIG]),
            },
            duration,
            time_to_first_chunk: attributes.seconds(g::RESPONSE_TIME_TO_FIRST_CHUNK),
            error_type,
            reported_cost: attributes.number(g::USAGE_COST),
            run,
        })
    })
}

/// Records a call, and sets its cost on its span. Returns what it adds to the account of its run.
pub(crate) fn record_foreign(
    recorder: &GenAiRecorder,
    span: &mut SpanData,
    call: &ForeignCall,
) -> Option<(CallKind, Charge)> {
    let facts = match call {
        ForeignCall::Tool(facts) => {
            recorder.record_tool(facts);
            return Some((CallKind::Tool, Charge::default()));
        }
        ForeignCall::Inference(facts) => facts,
    };
    let charge = recorder.record_inference(facts, span.end_time)?;
    if let (Some(cost), None) = (charge.cost, facts.reported_cost) {
        span.attributes.push(kv(g::USAGE_COST, cost.usd()));
    }
    Some((CallKind::Llm, charge))
}

/// Attributes of a span, with unique keys.
struct Attributes<'a>(&'a [KeyValue]);

impl<'a> Attributes<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        let attribute = self.0.iter().find(|attribute| attribute.key.as_str() == key)?;
        Some(&attribute.value)
    }

    fn text(&self, key: &str) -> Option<StringValue> {
        match self.get(key)? {
            Value::String(text) if !text.as_str().is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// Returns a count under the first of `keys` that is set. tracing-opentelemetry exports
    /// unsigned integers as text.
    fn count(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| match self.get(key)? {
            Value::I64(count) => u64::try_from(*count).ok(),
            Value::String(text) => text.as_str().parse().ok(),
            _ => None,
        })
    }

    fn seconds(&self, key: &str) -> Option<Duration> {
        Duration::try_from_secs_f64(self.number(key)?).ok()
    }

    fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::F64(number) => Some(*number),
            _ => None,
        }
    }
}
