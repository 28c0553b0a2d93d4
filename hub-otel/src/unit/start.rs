//! Start of a unit on its first poll: parent, sampling decision, span, context.

use crate::contain::contain;
use crate::instance;
use crate::instance::Instance;
use crate::instance::SdkSpan;
use crate::options::Sampling;
use crate::semconv::{kv, span};
use crate::unit::arguments::{EvaluatedArgs, UnitArgs};
use crate::unit::attribute_value::Fields;
use crate::unit::attributes::StartIdentity;
use crate::unit::callsite::{Callsite, SpanKind};
use crate::unit::raw_span::RawSpan;
use crate::unit::segment::Segment;
use crate::unit::span::RecordedSpan;
use crate::unit::state::{ActiveUnit, LateState, ParentWorkflow};
use crate::unit::{clock, events, stack, unrecorded};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::{Link, Span as _, SpanBuilder, SpanContext, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use std::borrow::Cow;
use std::sync::Arc;
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
    Some(ActiveUnit::new(instance, Instant::now(), Duration::ZERO, None, late))
}

#[inline(never)]
fn start(args: &mut UnitArgs<'_>, fields: &mut dyn FnMut(&mut Fields<'_>)) {
    let active = Context::current();
    if active.is_telemetry_suppressed() {
        return;
    }
    let parent = resolve_parent(args, active);
    let Some(instance) = instance::find(&parent.context) else {
        unrecorded::after_the_end();
        return;
    };
    let mut executed_before = Duration::ZERO;
    if let Some(segment) = args.segment().cloned() {
        executed_before = segment.elapsed();
        args.take_identity(segment);
    }
    let started = Instant::now();
    let label_set = args.label_set(&instance);
    let parent_workflow = match args.kind {
        UnitKind::Workflow => None,
        UnitKind::Agent => stack::parent_workflow(&parent.context),
    };
    let mut identity = StartIdentity::new(args, &label_set, parent_workflow);
    let mut span = None;
    let mut context = parent.context.clone();
    if !is_known_unsampled(&instance, &context) {
        let started_at = clock::wall(started);
        let mut sdk = build_span(args, &instance, &parent, &mut identity, started_at);
        if sdk.is_recording() {
            // A panic in a field loses this field and the later ones.
            contain(|| {
                fields(&mut Fields { set: &mut |key, value| sdk.set_attribute(kv(key, value)) });
            });
            span = Some(RecordedSpan::new(sdk, started_at));
        } else {
            // The sampler dropped it. Children must see that in the parent's flags.
            context = context.with_remote_span_context(sdk.span_context().clone());
        }
    }
    let workflow = match args.kind {
        UnitKind::Workflow => Some(ParentWorkflow { id: identity.id, run_id: identity.run_id }),
        UnitKind::Agent => identity.workflow,
    };
    let late = LateState::new(Arc::clone(&label_set), identity.name, workflow);
    let unit = ActiveUnit::new(instance, started, executed_before, span, late);
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

/// Builds the SDK's span, with the attributes that a sampler may read.
fn build_span(
    args: &UnitArgs<'_>,
    instance: &Instance,
    parent: &ParentContext,
    identity: &mut StartIdentity,
    started_at: SystemTime,
) -> SdkSpan {
    let (name, kind) = match (args.callsite, args.kind) {
        (Some(callsite), _) => (callsite.span_name, callsite.span_kind),
        (None, UnitKind::Workflow) => (span::WORKFLOW_EXECUTE, SpanKind::Internal),
        (None, UnitKind::Agent) => (span::AGENT_EXECUTE, SpanKind::Internal),
    };
    let mut builder = SpanBuilder {
        span_kind: Some(kind.into_otel()),
        name: Cow::Borrowed(name),
        start_time: Some(started_at),
        attributes: Some(args.start_attributes(identity, instance.options.gen_ai)),
        events: None,
        links: None,
    };
    if args.rare.is_some() || parent.link.is_some() {
        add_rare(&mut builder, args, parent);
    }
    #[expect(clippy::disallowed_methods, reason = "units start their spans here and nowhere else")]
    instance.tracer.build_with_context(builder, &parent.context)
}

#[cold]
fn add_rare(builder: &mut SpanBuilder, args: &UnitArgs<'_>, parent: &ParentContext) {
    let mut links = Vec::new();
    if let Some(rare) = &args.rare {
        if let Some(name) = &rare.span_name {
            builder.name = name.clone();
        }
        if let Some(kind) = rare.span_kind {
            builder.span_kind = Some(kind.into_otel());
        }
        links.clone_from(&rare.links);
    }
    let last_segment = args.segment().and_then(Segment::last_span);
    let others = [last_segment, parent.link.clone()];
    links.extend(others.into_iter().flatten().map(|link| Link::new(link, Vec::new(), 0)));
    builder.links = (!links.is_empty()).then_some(links);
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
