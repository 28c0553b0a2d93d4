//! Arguments of a unit that are only known at the call: data, and one method for each argument.
//! Types that can be the parent of a unit, or linked to it.

use crate::budget::{Budget, Spent};
use crate::contain::contain;
use crate::instance;
use crate::label::LabelValue;
use crate::options::Sampling;
use crate::semconv::gen_ai::CONVERSATION_ID;
use crate::semconv::kv;
use crate::unit::attribute_value::Fields;
use crate::unit::callsite::{Callsite, SpanKind};
use crate::unit::identity::IdentityValue;
use crate::unit::run_attributes::RunAttributes;
use crate::unit::segment::{IntoSegment, Segment};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, Key, KeyValue};
use std::borrow::Cow;

/// Arguments of a unit that is about to start. Each method sets one argument.
pub struct UnitArgs<'a> {
    pub(super) callsite: Option<&'static Callsite>,
    /// Context of the call.
    pub(super) captured: Context,
    pub(super) kind: UnitKind,
    pub(super) id: IdentityValue<'a>,
    pub(super) name: IdentityValue<'a>,
    /// Trigger of a workflow, action of an agent.
    pub(super) trigger_or_action: IdentityValue<'a>,
    pub(super) run_id: IdentityValue<'a>,
    pub(super) labels: Cow<'a, [(&'static str, LabelValue)]>,
    pub(super) gen_ai: bool,
    pub(super) rare: Option<Box<RareArgs>>,
}

/// Arguments that few units have. Boxed, to keep [`UnitArgs`] small.
#[derive(Default)]
pub(super) struct RareArgs {
    pub(super) span_name: Option<Cow<'static, str>>,
    pub(super) span_kind: Option<SpanKind>,
    pub(super) root: bool,
    pub(super) parent: Option<Context>,
    pub(super) links: Vec<SpanContext>,
    pub(super) segment: Option<Segment>,
    pub(super) budget: Option<Budget>,
    /// Set by the unit itself, or by the segment that it resumes.
    pub(super) run_attributes: Option<RunAttributes>,
}

/// Arguments that were evaluated at the call, for a unit that starts on its first poll.
pub struct EvaluatedArgs {
    pub(super) args: UnitArgs<'static>,
    pub(super) fields: Vec<KeyValue>,
}

impl EvaluatedArgs {
    /// Sets the context of the call.
    pub(super) fn captured(mut self, context: Context) -> Self {
        self.args.captured = context;
        self
    }
}

impl UnitArgs<'static> {
    /// Adds fields that were evaluated before.
    pub(super) fn with_fields(self, fields: Vec<KeyValue>) -> EvaluatedArgs {
        EvaluatedArgs { args: self, fields }
    }
}

impl<'a> UnitArgs<'a> {
    pub(super) fn new(callsite: &'static Callsite, captured: Context) -> Self {
        Self { callsite: Some(callsite), captured, ..Self::without_callsite(callsite.kind) }
    }

    pub(super) fn without_callsite(kind: UnitKind) -> Self {
        Self {
            callsite: None,
            captured: Context::new(),
            kind,
            id: IdentityValue::Absent,
            name: IdentityValue::Absent,
            trigger_or_action: IdentityValue::Absent,
            run_id: IdentityValue::Absent,
            labels: Cow::Borrowed(&[]),
            gen_ai: false,
            rare: None,
        }
    }

    /// Returns the segment that the unit resumes.
    pub(super) fn segment(&self) -> Option<&Segment> {
        self.rare.as_deref()?.segment.as_ref()
    }

    /// Returns the budget of the unit, or else that of the segment that it resumes, with what the
    /// earlier segments spent.
    pub(super) fn budget_and_spent(&self) -> Option<(Budget, Spent)> {
        let rare = self.rare.as_deref()?;
        let segment = rare.segment.as_ref();
        let budget = rare.budget.or(segment.and_then(|segment| segment.budget))?;
        Some((budget, segment.and_then(|segment| segment.spent).unwrap_or_default()))
    }

    /// Returns whether the unit starts a trace of its own.
    pub(super) fn is_root(&self) -> bool {
        self.callsite.is_some_and(|callsite| callsite.root)
            || self.rare.as_deref().is_some_and(|rare| rare.root)
    }

    fn rare(&mut self) -> &mut RareArgs {
        self.rare.get_or_insert_default()
    }

    /// `id = …`
    #[must_use]
    pub fn id(mut self, id: IdentityValue<'a>) -> Self {
        self.id = id;
        self
    }

    /// `name = …`
    #[must_use]
    pub fn name(mut self, name: IdentityValue<'a>) -> Self {
        self.name = name;
        self
    }

    /// `trigger = …` (workflows)
    #[must_use]
    pub fn trigger(mut self, trigger: IdentityValue<'a>) -> Self {
        self.trigger_or_action = trigger;
        self
    }

    /// `action = …` (agents)
    #[must_use]
    pub fn action(mut self, action: IdentityValue<'a>) -> Self {
        self.trigger_or_action = action;
        self
    }

    /// `provider = …` (calls of models)
    #[must_use]
    pub fn provider(self, provider: IdentityValue<'a>) -> Self {
        self.name(provider)
    }

    /// `model = …` (calls of models)
    #[must_use]
    pub fn model(self, model: IdentityValue<'a>) -> Self {
        self.id(model)
    }

    /// `operation = …` (calls of models)
    #[must_use]
    pub fn operation(self, operation: IdentityValue<'a>) -> Self {
        self.action(operation)
    }

    /// `data_source = …` (calls of models)
    #[must_use]
    pub fn data_source(self, id: IdentityValue<'a>) -> Self {
        self.run_id(id)
    }

    /// `call_id = …` (tools)
    #[must_use]
    pub fn call_id(self, id: IdentityValue<'a>) -> Self {
        self.run_id(id)
    }

    /// `run_id = …`
    #[must_use]
    pub fn run_id(mut self, run_id: IdentityValue<'a>) -> Self {
        self.run_id = run_id;
        self
    }

    /// `labels(…)`
    #[must_use]
    pub fn labels(mut self, labels: &'a [(&'static str, LabelValue)]) -> Self {
        self.labels = Cow::Borrowed(labels);
        self
    }

    /// `labels(…)`, owned by the unit.
    pub(super) fn owned_labels(mut self, labels: Vec<(&'static str, LabelValue)>) -> Self {
        self.labels = Cow::Owned(labels);
        self
    }

    /// `gen_ai`
    #[must_use]
    pub fn gen_ai(mut self) -> Self {
        self.gen_ai = true;
        self
    }

    /// `span_name = …`
    #[must_use]
    pub fn span_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.rare().span_name = Some(name.into());
        self
    }

    /// `kind = …`
    #[must_use]
    pub fn span_kind(mut self, kind: SpanKind) -> Self {
        self.rare().span_kind = Some(kind);
        self
    }

    /// `root`
    #[must_use]
    pub fn root(mut self) -> Self {
        self.rare().root = true;
        self
    }

    /// `parent = …`
    #[must_use]
    pub fn parent(mut self, parent: impl IntoParent) -> Self {
        self.rare().parent = parent.into_parent();
        self
    }

    /// `links = …`
    #[must_use]
    pub fn links<L: IntoLink>(mut self, links: impl IntoIterator<Item = L>) -> Self {
        self.rare().links.extend(links.into_iter().filter_map(IntoLink::into_link));
        self
    }

    /// `resume = …`
    #[must_use]
    pub fn resume(mut self, segment: impl IntoSegment) -> Self {
        self.rare().segment = segment.to_segment();
        self
    }

    /// `budget(…)`
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.rare().budget = Some(budget);
        self
    }

    /// `conversation = …` (workflows and agents)
    #[must_use]
    pub fn conversation(self, id: IdentityValue<'_>) -> Self {
        match id.as_str() {
            Some(id) => self.run_attribute(Key::from_static_str(CONVERSATION_ID), id),
            None => self,
        }
    }

    pub(super) fn run_attribute(mut self, key: Key, value: &str) -> Self {
        RunAttributes::set(&mut self.rare().run_attributes, key, value);
        self
    }

    /// `enabled = …` is false: the call is not recorded.
    pub fn skip(self) {}

    /// Evaluates all arguments now, for a unit that starts later.
    pub fn prepare(self, fields: impl FnOnce(&mut Fields<'_>)) -> EvaluatedArgs {
        let mut evaluated = Vec::new();
        // The sampling decision is made later. Only `Off` is known beforehand.
        let may_record =
            instance::current().is_some_and(|current| current.options.sampling != Sampling::Off);
        if may_record {
            contain(|| {
                fields(&mut Fields { set: &mut |key, value| evaluated.push(kv(key, value)) });
            });
        }
        let args = UnitArgs {
            id: self.id.into_owned(),
            name: self.name.into_owned(),
            trigger_or_action: self.trigger_or_action.into_owned(),
            run_id: self.run_id.into_owned(),
            labels: Cow::Owned(self.labels.into_owned()),
            callsite: self.callsite,
            captured: self.captured,
            kind: self.kind,
            gen_ai: self.gen_ai,
            rare: self.rare,
        };
        EvaluatedArgs { args, fields: evaluated }
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A parent of a unit: `parent = …` of the macros, [`Unit::parent`](crate::Unit::parent).
///
/// Implemented for [`RemoteContext`](crate::propagation::RemoteContext) and for OpenTelemetry's
/// `Context` and `SpanContext`, by value and by reference, and for an `Option` of one. Sealed:
/// other crates cannot implement it.
///
/// ```
/// use std::collections::HashMap;
///
/// let headers = HashMap::<String, String>::new();
/// let caller = hub_otel::propagation::extract(&headers);
/// hub_otel::agent("scanner", "scan").parent(caller).call(|| ());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a parent of a unit",
    label = "neither a context nor a span context",
    note = "`parent` takes an OpenTelemetry `Context` or `SpanContext`, by value or by reference, or an `Option` of one; \
            `hub_otel::propagation::extract` reads one from headers"
)]
pub trait IntoParent: sealed::Sealed {
    /// Returns the context whose span becomes the parent.
    #[doc(hidden)]
    fn into_parent(self) -> Option<Context>;
}

impl sealed::Sealed for Context {}
impl IntoParent for Context {
    fn into_parent(self) -> Option<Context> {
        Some(self)
    }
}

impl sealed::Sealed for &Context {}
impl IntoParent for &Context {
    fn into_parent(self) -> Option<Context> {
        Some(self.clone())
    }
}

impl sealed::Sealed for SpanContext {}
impl IntoParent for SpanContext {
    fn into_parent(self) -> Option<Context> {
        Some(Context::current().with_remote_span_context(self))
    }
}

impl sealed::Sealed for &SpanContext {}
impl IntoParent for &SpanContext {
    fn into_parent(self) -> Option<Context> {
        self.clone().into_parent()
    }
}

impl<P: sealed::Sealed> sealed::Sealed for Option<P> {}
impl<P: IntoParent> IntoParent for Option<P> {
    fn into_parent(self) -> Option<Context> {
        self.and_then(IntoParent::into_parent)
    }
}

/// A span that a unit links to: `links = …` of the macros, [`Unit::links`](crate::Unit::links).
///
/// Implemented for [`RemoteContext`](crate::propagation::RemoteContext) and for OpenTelemetry's
/// `SpanContext`, by value and by reference. Sealed: other crates cannot implement it.
///
/// ```
/// use opentelemetry::trace::SpanContext;
///
/// /// Merges the results of several runs and links to each of them.
/// fn merge(runs: &[SpanContext]) {
///     hub_otel::workflow("merge").links(runs).call(|| ());
/// }
/// # merge(&[]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be linked",
    label = "not a span context",
    note = "`links` takes an iterator of `hub_otel::propagation::RemoteContext` or of OpenTelemetry's `SpanContext`"
)]
pub trait IntoLink: sealed::Sealed {
    /// Returns the linked span. `None` if its context is not valid.
    #[doc(hidden)]
    fn into_link(self) -> Option<SpanContext>;
}

impl IntoLink for SpanContext {
    fn into_link(self) -> Option<SpanContext> {
        Some(self).filter(SpanContext::is_valid)
    }
}

impl IntoLink for &SpanContext {
    fn into_link(self) -> Option<SpanContext> {
        self.clone().into_link()
    }
}
