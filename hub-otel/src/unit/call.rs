//! Units that are one call: of a model, or of a tool. Identity, facts that arrive while they run,
//! attributes and metrics of their end.

use crate::budget::BudgetExceeded;
use crate::budget::account::{Admission, CallKind, Charge, remedy};
#[cfg(feature = "sdk")]
use crate::gen_ai::foreign_span::ForeignCall;
use crate::gen_ai::recorder::is_counted;
use crate::gen_ai::{InferenceFacts, Run, ToolFacts, Usage};
use crate::options::GenAiNames;
use crate::semconv::gen_ai::{self as g, operation};
use crate::semconv::{attribute as a, error_type, kv};
use crate::shared_str::share_str;
use crate::unit::identity::StartIdentity;
use crate::unit::state::{ActiveUnit, Finished};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::SpanId;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A call of a model or of a tool, while it runs.
pub(crate) struct Call {
    /// `gen_ai.operation.name`.
    operation: StringValue,
    /// Name of the tool; model of the request.
    name: Option<StringValue>,
    provider: Option<StringValue>,
    /// Innermost agent or workflow of this process around the call.
    owner: Option<Arc<ActiveUnit>>,
    pub(crate) usage: Usage,
    /// Cost that the provider reported, in US dollars.
    pub(crate) cost: Option<f64>,
    /// Admission by the budget of the run.
    pub(crate) admission: Option<Admission>,
    /// The budget did not admit the call: it was not made, and is not counted.
    pub(crate) refused: Option<Box<BudgetExceeded>>,
    pub(crate) response_model: Option<StringValue>,
    pub(crate) response_id: Option<StringValue>,
    pub(crate) finish_reasons: Vec<StringValue>,
    pub(crate) first_chunk: Option<Duration>,
    /// The response is a stream.
    pub(crate) is_streamed: bool,
    /// Calls that another library, or another unit, recorded inside of this one: it is the same
    /// call.
    inner: Option<InnerCalls>,
}

/// Facts of the calls that were recorded inside of a unit.
#[derive(Debug, Clone, Default)]
struct InnerCalls {
    usage: Usage,
    request_model: Option<StringValue>,
    response_model: Option<StringValue>,
    cost: Option<f64>,
}

impl Call {
    /// Creates the state of a unit of `kind` that starts inside of `owner`.
    pub(super) fn new(
        kind: UnitKind,
        identity: &StartIdentity,
        owner: Option<Arc<ActiveUnit>>,
    ) -> Box<Self> {
        let is_tool = kind == UnitKind::Tool;
        Box::new(Self {
            operation: operation_of(kind, identity),
            name: if is_tool { Some(tool_name(identity)) } else { model(identity) },
            provider: identity.name.clone().filter(|_| !is_tool),
            owner,
            usage: Usage::default(),
            cost: None,
            admission: None,
            refused: None,
            response_model: None,
            response_id: None,
            finish_reasons: Vec::new(),
            first_chunk: None,
            is_streamed: false,
            inner: None,
        })
    }

    /// Adds a call that another library recorded inside of this one, if both are the same call.
    /// Returns whether they are.
    #[cfg(feature = "sdk")]
    pub(super) fn absorb(&mut self, call: &ForeignCall) -> bool {
        match call {
            ForeignCall::Tool(facts) => {
                self.operation.as_str() == operation::EXECUTE_TOOL
                    && self.name.as_ref() == Some(&facts.name)
            }
            ForeignCall::Inference(facts) => self.absorb_inference(facts),
        }
    }

    /// Adds a call of a model inside of this one, if both are the same call. Returns whether they
    /// are.
    fn absorb_inference(&mut self, facts: &InferenceFacts) -> bool {
        if !self.contains(facts.operation.as_str()) {
            return false;
        }
        let inner = self.inner.get_or_insert_default();
        inner.usage.add(facts.usage);
        inner.request_model.clone_from(&facts.request_model);
        inner.response_model.clone_from(&facts.response_model);
        inner.cost = match (inner.cost, facts.reported_cost) {
            (Some(before), Some(cost)) => Some(before + cost),
            (before, cost) => before.or(cost),
        };
        true
    }

    /// Returns whether a call of a model inside of this one is the same call.
    fn contains(&self, operation: &str) -> bool {
        let own = self.operation.as_str();
        // A retrieval may embed its query by another call.
        let embeds = |operation: &str| operation == operation::EMBEDDINGS;
        is_counted(own) && embeds(own) == embeds(operation)
    }

    pub(super) fn operation(&self) -> StringValue {
        self.operation.clone()
    }

    /// Returns the innermost agent or workflow around the call.
    pub(crate) fn owner(&self) -> Option<&Arc<ActiveUnit>> {
        self.owner.as_ref()
    }

    /// Adds the attributes that are known at the end.
    pub(super) fn describe_end(&self, names: GenAiNames, attributes: &mut Vec<KeyValue>) {
        let Usage { input, output, cache_read, cache_write, reasoning, .. } = self.usage;
        let tokens = [
            (g::USAGE_INPUT_TOKENS, input),
            (g::USAGE_OUTPUT_TOKENS, output),
            (g::USAGE_CACHE_READ_TOKENS, cache_read),
            (g::USAGE_CACHE_CREATION_TOKENS, cache_write.filter(|_| names != GenAiNames::Latest)),
            (g::USAGE_CACHE_WRITE_TOKENS, cache_write.filter(|_| names != GenAiNames::Released)),
            (g::USAGE_REASONING_TOKENS, reasoning),
        ];
        let number = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        attributes
            .extend(tokens.into_iter().filter_map(|(key, tokens)| Some(kv(key, number(tokens?)))));
        let texts =
            [(g::RESPONSE_MODEL, &self.response_model), (g::RESPONSE_ID, &self.response_id)];
        attributes.extend(texts.into_iter().filter_map(|(key, text)| Some(kv(key, text.clone()?))));
        if !self.finish_reasons.is_empty() {
            let reasons = Value::Array(Array::String(self.finish_reasons.clone()));
            attributes.push(kv(g::RESPONSE_FINISH_REASONS, reasons));
        }
        if self.is_streamed {
            attributes.push(kv(g::REQUEST_STREAM, true));
        }
        let seconds = self.first_chunk.map(|time| time.as_secs_f64());
        attributes.extend(seconds.map(|time| kv(g::RESPONSE_TIME_TO_FIRST_CHUNK, time)));
    }
}

/// Records the metrics and the cost of a call that has ended, and charges it to its budget.
pub(super) fn record_end(unit: &ActiveUnit, finished: &mut Finished, duration: Duration) {
    let Some(mut call) = finished.call.take() else { return };
    if call.refused.is_some() {
        return;
    }
    let ending = &mut finished.ending;
    let error_type = ending.status.is_failure().then(|| match &ending.failure {
        Some(failure) => failure.error_type.clone(),
        None => Cow::Borrowed(error_type::OTHER),
    });
    let run = Run {
        agent_id: call.owner().and_then(|owner| owner.run().agent_id),
        workflow_id: unit.workflow().map(|workflow| workflow.id),
    };
    let recorder = &unit.instance.gen_ai;
    if let Some(parent) = parent_that_is_no_unit(unit) {
        let is_tool = unit.kind == UnitKind::Tool;
        recorder.add_counted_below(parent, if is_tool { CallKind::Tool } else { CallKind::Llm });
    }
    if let (UnitKind::Tool, Some(name)) = (unit.kind, call.name.clone()) {
        recorder.record_tool(&ToolFacts { name, duration, error_type, run });
        call.charge(unit, CallKind::Tool, Charge::default());
    } else {
        let inner = call.inner.take().unwrap_or_default();
        let has_usage = call.usage != Usage::default();
        let facts = InferenceFacts {
            operation: call.operation.clone(),
            provider: call.provider.clone(),
            request_model: call.name.clone().or(inner.request_model),
            response_model: call.response_model.clone().or(inner.response_model),
            usage: if has_usage { call.usage } else { inner.usage },
            time_to_first_chunk: call.first_chunk,
            duration,
            error_type,
            reported_cost: call.cost.or(inner.cost),
            run,
        };
        if absorbed_by_outer(unit, &facts, &mut call.admission) {
            return;
        }
        let Some(charge) = recorder.record_inference(&facts, SystemTime::now()) else { return };
        if let Some(cost) = charge.cost {
            ending.attributes.push(kv(g::USAGE_COST, cost.usd()));
            if let Some(owner) = call.owner() {
                owner.add_cost(cost);
            }
        }
        call.charge(unit, CallKind::Llm, charge);
    }
}

/// Changes the call of a model directly around `unit`, which may be the same call: a client that
/// records its requests, in an annotated function. `None` if there is none, or it has ended.
fn change_outer<T>(unit: &ActiveUnit, change: impl FnOnce(&mut Call) -> T) -> Option<T> {
    let outer = unit.spending.parent.upgrade();
    let outer = outer.filter(|outer| outer.kind == UnitKind::Llm && unit.kind == UnitKind::Llm)?;
    let mut late = outer.change_late()?;
    late.call.as_mut().map(|call| change(call))
}

/// Returns whether a unit around `unit` is the same call, and was admitted.
pub(super) fn is_admitted_by_outer(unit: &ActiveUnit, operation: &str) -> bool {
    let is_admitted = |outer: &mut Call| outer.contains(operation) && outer.admission.is_some();
    change_outer(unit, is_admitted).unwrap_or(false)
}

/// Notes in a unit around `unit` that is the same call that it was refused.
pub(super) fn refuse_outer(unit: &ActiveUnit, operation: &str, exceeded: BudgetExceeded) {
    change_outer(unit, |outer| {
        let has_called = outer.admission.is_some() || outer.inner.is_some();
        if outer.contains(operation) && !has_called {
            outer.refused = Some(Box::new(exceeded));
        }
    });
}

/// Returns whether a unit around `unit` is the same call, and counts it: with the facts and the
/// admission of the inner one.
fn absorbed_by_outer(
    unit: &ActiveUnit,
    facts: &InferenceFacts,
    admission: &mut Option<Admission>,
) -> bool {
    if !is_counted(facts.operation.as_str()) {
        return false;
    }
    let absorb = |outer: &mut Call| {
        let is_same = outer.absorb_inference(facts);
        if is_same && outer.admission.is_none() {
            outer.admission = admission.take();
        }
        is_same
    };
    change_outer(unit, absorb).unwrap_or(false)
}

/// Returns the parent of a unit's span, if it is of this process and no unit.
fn parent_that_is_no_unit(unit: &ActiveUnit) -> Option<SpanId> {
    let mut parent = None;
    unit.span.as_ref()?.change(|span| {
        parent = (!span.parent_is_remote).then_some(span.parent_id);
    });
    let parent = parent.filter(|parent| *parent != SpanId::INVALID)?;
    let around = unit.spending.parent.upgrade();
    let span = around.as_ref().and_then(|around| around.span.as_ref());
    (span.is_none_or(|span| span.context().span_id() != parent)).then_some(parent)
}

impl Call {
    /// Returns whether a budget has to admit the call. Operations that are not counted need no
    /// admission.
    pub(super) fn needs_admission(&self, kind: CallKind) -> bool {
        self.admission.is_none() && (kind == CallKind::Tool || is_counted(self.operation.as_str()))
    }

    /// Charges the account of the run, also for a call that it did not admit.
    fn charge(&mut self, unit: &ActiveUnit, kind: CallKind, charge: Charge) {
        match (self.admission.take(), &unit.spending.account) {
            (Some(admission), _) => admission.end(charge),
            (None, Some(account)) => account.charge(kind, charge, remedy::UNIT),
            (None, None) => {}
        }
    }
}

/// Returns the start attributes of a call.
pub(super) fn describe_start(kind: UnitKind, identity: &StartIdentity) -> Vec<KeyValue> {
    let mut attributes = vec![kv(g::OPERATION_NAME, operation_of(kind, identity))];
    if kind == UnitKind::Tool {
        attributes.push(kv(g::TOOL_NAME, tool_name(identity)));
        attributes.extend(identity.run_id.clone().map(|id| kv(g::TOOL_CALL_ID, id)));
    } else {
        attributes.extend(identity.name.clone().map(|name| kv(g::PROVIDER_NAME, name)));
        attributes.extend(model(identity).map(|model| kv(g::REQUEST_MODEL, model)));
        attributes.extend(identity.run_id.clone().map(|id| kv(g::DATA_SOURCE_ID, id)));
    }
    if let Some(workflow) = &identity.workflow {
        let run_id = workflow.run_id.clone();
        attributes.extend(run_id.map(|run_id| kv(a::WORKFLOW_RUN_ID, run_id)));
        attributes.push(kv(a::WORKFLOW_ID, workflow.id.clone()));
    }
    attributes
}

/// Returns the span name of a call: `chat gpt-4o`, `execute_tool search`, `retrieval documents`.
pub(super) fn span_name(kind: UnitKind, identity: &StartIdentity) -> String {
    let operation = operation_of(kind, identity);
    let subject = match kind {
        UnitKind::Tool => Some(tool_name(identity)),
        _ if operation.as_str() == operation::RETRIEVAL => identity.run_id.clone(),
        _ => model(identity),
    };
    match subject {
        Some(subject) => format!("{} {}", operation.as_str(), subject.as_str()),
        None => operation.as_str().to_owned(),
    }
}

/// The arguments of a call are in the places of a unit's identity: `id` is the model, `name` the
/// provider or the name of a tool, `action` the operation, `run_id` the data source or the id of
/// a tool call.
fn operation_of(kind: UnitKind, identity: &StartIdentity) -> StringValue {
    match kind {
        UnitKind::Tool => StringValue::from(operation::EXECUTE_TOOL),
        _ if identity.trigger_or_action.as_str().is_empty() => StringValue::from(operation::CHAT),
        _ => identity.trigger_or_action.clone(),
    }
}

fn tool_name(identity: &StartIdentity) -> StringValue {
    identity.name.clone().unwrap_or_else(|| identity.id.clone())
}

fn model(identity: &StartIdentity) -> Option<StringValue> {
    Some(identity.id.clone()).filter(|model| !model.as_str().is_empty())
}

/// Notes that the response of a call is a stream, and the time of its first chunk.
pub(super) fn note_stream(unit: &ActiveUnit, first_chunk: Option<Duration>) {
    if unit.kind == UnitKind::Llm
        && let Some(call) = unit.change_late().as_mut().and_then(|late| late.call.as_mut())
    {
        call.is_streamed = true;
        call.first_chunk = call.first_chunk.or(first_chunk);
    }
}

/// Collects finish reasons.
pub(super) fn share_all<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Vec<StringValue> {
    texts.into_iter().take(MAX_FINISH_REASONS).map(|text| share_str(text.as_ref())).collect()
}

/// One per choice of a response.
const MAX_FINISH_REASONS: usize = 128;
