//! Start of a unit on its first poll: parent, sampling decision, span, context.

use crate::budget::account::Account;
use crate::contain::contain;
use crate::instance;
use crate::instance::Instance;
use crate::options::Sampling;
use crate::semconv::{kv, span};
use crate::unit::arguments::{EvaluatedArgs, UnitArgs};
use crate::unit::attribute_value::Fields;
use crate::unit::call::{self, Call};
use crate::unit::callsite::{Callsite, SpanKind};
use crate::unit::identity::{ParentWorkflow, StartIdentity, new_run_id};
use crate::unit::raw_span::RawSpan;
use crate::unit::segment::Segment;
use crate::unit::span::{FieldList, RecordLimits, RecordedSpan, UnitSpan};
use crate::unit::spending::Spending;
use crate::unit::state::{ActiveUnit, LateState};
use crate::unit::{clock, events, gen_ai, stack, unrecorded};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

/// Calls `describe` with the arguments of the unit whose first poll is running. No-op if telemetry
/// is off.
#[inline]
pub fn open(describe: impl FnOnce(UnitArgs<'static>)) {
    if instance::in_use()
        && let Some((callsite, captured)) = stack::take_opening()
    {
        let args = UnitArgs::new(callsite, captured);
        if contain(|| describe(args)).is_none() {
            open_without_arguments(callsite);
        }
    }
}

/// Starts a unit whose argument panicked, with the literals of its call site.
#[cold]
fn open_without_arguments(callsite: &'static Callsite) {
    UnitArgs::new(callsite, Context::current()).begin(|_| {});
}

impl UnitArgs<'_> {
    /// Starts the unit. `fields` is called if it is sampled.
    #[inline]
    pub fn begin(mut self, fields: impl FnOnce(&mut Fields<'_>)) {
        let mut fields = Some(fields);
        start(&mut self, &mut |recorded| {
            if let Some(fields) = fields.take() {
                fields(recorded);
            }
        });
    }
}

impl EvaluatedArgs {
    /// Starts the unit.
    pub(super) fn begin(self) {
        let Self { mut args, fields } = self;
        let mut fields = fields.into_iter();
        start(&mut args, &mut |recorded| {
            for KeyValue { key, value, .. } in fields.by_ref() {
                (recorded.set)(key, value);
            }
        });
    }
}

/// Starts a unit without span and context, during the destruction of the thread's thread-locals:
/// OpenTelemetry's context does not exist there. The run is counted.
#[cold]
pub(super) fn start_detached(args: &UnitArgs<'_>) -> Option<Arc<ActiveUnit>> {
    let instance = instance::find(&args.captured)?;
    let label_set = args.label_set(&instance);
    label_set.add_active(1);
    let late = LateState::new(label_set, None, None);
    let spending = Spending::default();
    Some(ActiveUnit::new(instance, Instant::now(), Duration::ZERO, None, spending, late))
}

#[inline(never)]
fn start(args: &mut UnitArgs<'_>, fields: &mut dyn FnMut(&mut Fields<'_>)) {
    let active = Context::current();
    if active.is_telemetry_suppressed() {
        return;
    }
    let ParentContext { mut context, link } = resolve_parent(args, active);
    let Some(instance) = instance::find(&context) else {
        unrecorded::after_the_end();
        return;
    };
    let mut executed_before = Duration::ZERO;
    let parent = stack::active_unit(&context);
    let spending = spending_below(parent.as_ref(), args);
    if let Some(segment) = args.segment().cloned() {
        executed_before = segment.elapsed();
        args.take_identity(segment);
    }
    let started = Instant::now();
    let label_set = args.label_set(&instance);
    let parent_workflow = match args.kind {
        UnitKind::Workflow => None,
        UnitKind::Agent | UnitKind::Llm | UnitKind::Tool => {
            stack::workflow_of(&context, parent.as_deref())
        }
    };
    let mut identity = StartIdentity::new(args, &label_set, parent_workflow);
    identity.add_run_attributes(args, stack::attributes_of(&context, parent.as_deref()));
    let may_be_sampled = !is_known_unsampled(&instance, &context);
    if may_be_sampled && args.kind.is_counted() {
        identity.run_id.get_or_insert_with(new_run_id);
    }
    let call = (!args.kind.is_counted())
        .then(|| Call::new(args.kind, &identity, parent.and_then(stack::counted_unit)));
    let workflow = match args.kind {
        UnitKind::Workflow => {
            Some(ParentWorkflow { id: identity.id.clone(), run_id: identity.run_id.clone() })
        }
        UnitKind::Agent | UnitKind::Llm | UnitKind::Tool => identity.workflow.clone(),
    };
    let mut late = LateState::new(Arc::clone(&label_set), identity.name.clone(), workflow);
    late.call = call;
    late.run_attributes.clone_from(&identity.run_attributes);
    let mut span = None;
    if may_be_sampled {
        let mut begun = new_span(args, &instance, identity, link, clock::wall(started));
        if instance.spans.begin(&mut begun, &context) {
            add_fields(&mut begun, &instance, fields);
            span = Some(RecordedSpan::new(begun));
        } else {
            // The sampler dropped it. Children must see that in the parent's flags.
            context = context.with_remote_span_context(begun.context);
        }
    }
    let unit = ActiveUnit::new(instance, started, executed_before, span, spending, late);
    if unit.span.is_some() {
        context = context.with_span(RawSpan(Arc::clone(&unit)));
    }
    let context = context.with_value(Arc::clone(&unit));
    if stack::activate(Arc::clone(&unit), context) {
        label_set.add_active(1);
        unit.ambient.open();
        events::log_started(&unit, args.segment().is_some());
    }
}

/// Returns the spending of a unit that starts inside of `parent`, with the account of its budget.
fn spending_below(parent: Option<&Arc<ActiveUnit>>, args: &UnitArgs<'_>) -> Spending<ActiveUnit> {
    let mut spending = parent.map_or_else(Spending::default, |unit| {
        let workflow = match unit.kind {
            UnitKind::Workflow => Weak::new(),
            _ if unit.spending.workflow.strong_count() > 0 => unit.spending.workflow.clone(),
            _ => unit.spending.parent.clone(),
        };
        Spending::below(Arc::downgrade(unit), workflow, unit.spending.account.clone())
    });
    if let Some((budget, spent)) = args.budget_and_spent() {
        spending.account = Some(Account::new(budget, spent, spending.account.take()));
    }
    spending
}

/// Returns whether the sampling decision is known without a call of the sampler.
fn is_known_unsampled(instance: &Instance, parent: &Context) -> bool {
    match instance.options.sampling {
        Sampling::Ask => false,
        Sampling::Off => true,
        Sampling::ParentBased => {
            let span = parent.span();
            span.span_context().is_valid() && !span.span_context().is_sampled()
        }
    }
}

/// Creates the span, without its ids, with all that a sampler may read.
fn new_span(
    args: &UnitArgs<'_>,
    instance: &Instance,
    identity: StartIdentity,
    link: Option<SpanContext>,
    started: SystemTime,
) -> Box<UnitSpan> {
    let (name, kind) = match (args.callsite, args.kind) {
        (Some(callsite), _) => (callsite.span_name, callsite.span_kind),
        (None, UnitKind::Workflow) => (span::WORKFLOW_EXECUTE, SpanKind::Internal),
        (None, UnitKind::Agent) => (span::AGENT_EXECUTE, SpanKind::Internal),
        (None, UnitKind::Llm) => ("", SpanKind::Client),
        (None, UnitKind::Tool) => ("", SpanKind::Internal),
    };
    let name = match name {
        "" | span::AGENT_EXECUTE => gen_ai::span_name(args.kind, &instance.options, &identity)
            .map_or(Cow::Borrowed(name), Cow::Owned),
        name => Cow::Borrowed(name),
    };
    let mut span = Box::new(UnitSpan {
        kind: args.kind,
        context: SpanContext::NONE,
        parent_id: SpanId::INVALID,
        parent_is_remote: false,
        span_kind: kind.into_otel(),
        name,
        started,
        identity,
        gen_ai: None,
        fields: FieldList::default(),
        rare: None,
    });
    let options = &instance.options;
    let is_requested = args.gen_ai || args.callsite.is_some_and(|callsite| callsite.gen_ai);
    if args.kind.is_counted() && (options.gen_ai || is_requested) {
        span.gen_ai = Some(options.gen_ai_names);
    }
    if !args.kind.is_counted() || options.openinference {
        add_gen_ai(&mut span, instance);
    }
    if args.rare.is_some() || link.is_some() {
        add_rare(&mut span, args, &instance.span_limits, link);
    }
    span
}

/// Adds the attributes of a call, and the kind of OpenInference.
#[cold]
fn add_gen_ai(span: &mut UnitSpan, instance: &Instance) {
    let (kind, identity) = (span.kind, &span.identity);
    let is_call = !kind.is_counted();
    let mut attributes = if is_call { call::describe_start(kind, identity) } else { Vec::new() };
    if instance.options.openinference {
        attributes.push(gen_ai::openinference_kind(kind, identity));
    }
    for attribute in attributes {
        span.set_attribute(attribute, &instance.span_limits);
    }
}

#[cold]
fn add_rare(
    span: &mut UnitSpan,
    args: &UnitArgs<'_>,
    limits: &RecordLimits,
    link: Option<SpanContext>,
) {
    let mut links = Vec::new();
    if let Some(rare) = &args.rare {
        if let Some(name) = &rare.span_name {
            span.name = name.clone();
        }
        if let Some(kind) = rare.span_kind {
            span.span_kind = kind.into_otel();
        }
        links.clone_from(&rare.links);
    }
    let last_segment = args.segment().and_then(Segment::last_span);
    for link in links.into_iter().chain(last_segment).chain(link) {
        span.add_link(link, Vec::new(), limits);
    }
}

/// Adds the attributes of `fields(…)`. A panic in one loses it and the later ones.
fn add_fields(span: &mut UnitSpan, instance: &Instance, fields: &mut dyn FnMut(&mut Fields<'_>)) {
    let mut set = |key, value| {
        let admitted = instance.gen_ai.content.admit(kv(key, value));
        span.set_admitted(admitted, &instance.span_limits);
    };
    contain(|| fields(&mut Fields { set: &mut set }));
}

/// Parent of a unit.
struct ParentContext {
    /// Context whose span is the parent.
    context: Context,
    /// The active span, if it is not the parent: the unit links to it.
    link: Option<SpanContext>,
}

/// Finds the parent of a unit that is polled for the first time under `active`.
///
/// The order is: `parent = …`, then `root`, then the first-poll rule. By that rule the active span
/// is the parent if it belongs to the trace that the unit was called in, or if the unit was called
/// outside a trace. Otherwise the span of the call is, with a link to the active one.
fn resolve_parent(args: &mut UnitArgs<'_>, active: Context) -> ParentContext {
    if let Some(parent) = args.rare.as_deref().and_then(|rare| rare.parent.clone()) {
        return ParentContext { context: instance::inherit_instance(&active, parent), link: None };
    }
    if args.is_root() {
        let context = active.with_remote_span_context(SpanContext::NONE);
        return ParentContext { context, link: valid_span(&active) };
    }
    let captured = std::mem::take(&mut args.captured);
    if belongs_to(&captured, &active) {
        return ParentContext { context: active, link: None };
    }
    let link = valid_span(&active);
    ParentContext { context: captured, link }
}

/// Returns whether a unit that was called under `captured` starts under `active`.
fn belongs_to(captured: &Context, active: &Context) -> bool {
    let (called_in, polled_in) = (captured.span(), active.span());
    let (called_in, polled_in) = (called_in.span_context(), polled_in.span_context());
    if called_in.is_valid() {
        return called_in.trace_id() == polled_in.trace_id();
    }
    polled_in.is_valid() || !has_values(captured)
}

/// Returns whether a context without a span carries something that the unit needs.
fn has_values(captured: &Context) -> bool {
    captured.get::<Arc<ActiveUnit>>().is_some()
        || captured.get::<ParentWorkflow>().is_some()
        || instance::has_instance(captured)
}

fn valid_span(context: &Context) -> Option<SpanContext> {
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}
