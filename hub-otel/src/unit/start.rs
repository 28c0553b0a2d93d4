//! Opens a unit on its first poll: finds its place, asks the sampler, counts it, and puts it where it stays.

use crate::instance;
use crate::instance::Instance;
use crate::options::Sampling;
use crate::semconv::{kv, span};
use crate::unit::arguments::Opening;
use crate::unit::attribute_value::Fields;
use crate::unit::callsite::Site;
use crate::unit::parent::{Place, follows, place};
use crate::unit::segment::Segment;
use crate::unit::span::UnitSpan;
use crate::unit::state::{Enclosing, Given, Unit};
use crate::unit::{clock, events as lifecycle, lookup as running, run_id, stack as frame};
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::StringValue;
use opentelemetry::trace::Link;
use opentelemetry::trace::Span as _;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;

/// Opens the unit that `opening` describes, in the frame of its first poll. `fields` is called when it records.
#[inline(never)]
pub(super) fn start(opening: &mut Opening<'_>, fields: &mut dyn FnMut(&mut Fields<'_>)) {
    let active = Context::current();
    if active.is_telemetry_suppressed() {
        return;
    }
    let place = place(opening, active);
    let Some(instance) = instance::find(&place.context) else { return };
    if let Some(segment) = opening.resumed().cloned() {
        opening.take_over(segment);
    }
    let unit = Unit {
        set: opening.label_set(instance),
        started: Instant::now(),
        site: opening.site,
        workflow: match opening.kind {
            UnitKind::Workflow => None,
            UnitKind::Agent => running::enclosing(&place.context),
        },
        shared: None,
    };
    let evaluated = if is_known_unsampled(instance, &place.context) {
        let run_id = if opening.kind == UnitKind::Workflow { opening.run_id.value() } else { None };
        count(unit, opening, run_id, place.context, !place.is_active);
        Ok(())
    } else {
        record(unit, opening, &place, instance, fields)
    };
    lifecycle::started(opening.resumed().is_some());
    if let Err(panic) = evaluated {
        resume_unwind(panic);
    }
}

/// Whether it is worth a closer look if a unit that was called under `captured` only counts: a few instructions, which
/// every unit that records takes as well.
#[inline]
pub(super) fn may_count(captured: &Context) -> bool {
    instance::find(captured).is_some_and(|instance| match instance.options.sampling {
        Sampling::Ask => false,
        Sampling::Off => true,
        Sampling::ParentBased => captured.has_active_span(),
    })
}

/// Counts a unit before its body is asked, where its site says who it is and nothing will record. `None`: it opens like
/// any other.
#[inline]
pub(super) fn count_at_once(site: &'static Site, captured: &Context) -> Option<(Unit, Context)> {
    // No more than the decision inside: what comes after may attach contexts.
    let context = Context::map_current(|active| {
        let instance = instance::find(active)?;
        let counts = is_known_unsampled(instance, active)
            && !active.is_telemetry_suppressed()
            && !site.root
            && follows(captured, active);
        counts.then(|| active.clone())
    })?;
    let set = site.label_set(instance::find(&context)?);
    if set.overflowing {
        return None;
    }
    let workflow = match site.kind {
        UnitKind::Workflow => None,
        UnitKind::Agent => running::enclosing(&context),
    };
    Some((Unit { set, started: Instant::now(), site: Some(site), workflow, shared: None }, context))
}

/// Whether the sampler's answer is known without asking it.
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

/// A unit that is not recorded: its metrics are exact all the same. `run_id`: where it is no literal, which is found at
/// the call site when somebody asks.
#[inline]
fn count(
    mut unit: Unit,
    opening: &Opening<'_>,
    run_id: Option<StringValue>,
    context: Context,
    attach: bool,
) {
    if opening.kind == UnitKind::Workflow && (run_id.is_some() || unit.set.overflowing) {
        let literal = || opening.site.and_then(|site| site.run_id).map(StringValue::from);
        let run_id =
            run_id.or_else(literal).unwrap_or_else(|| run_id::new(clock::wall(unit.started)));
        let id = opening.own_id(&unit.set);
        unit.workflow = Some(Arc::new(Enclosing { id, run_id: Some(run_id) }));
    }
    if let Some(segment) = opening.resumed() {
        let given = Given { name: opening.name.value(), run_id: None };
        unit.share(&given, segment.elapsed());
    }
    unit.set.add_active(1);
    frame::count(unit, context, attach);
}

/// Asks the sampler, with the attributes that the contract has at start, and builds the span where it stays. A panic in a
/// field is handed back: it has to find a unit to end.
fn record(
    mut unit: Unit,
    opening: &Opening<'_>,
    place: &Place,
    instance: &Instance,
    fields: &mut dyn FnMut(&mut Fields<'_>),
) -> std::thread::Result<()> {
    let began = clock::wall(unit.started);
    let mut given = Given::default();
    let attributes = opening.attributes(&unit, &mut given, began, instance.options.gen_ai);
    let mut builder = SpanBuilder {
        span_kind: Some(opening.site.map_or(SpanKind::Internal, |site| site.span_kind.clone())),
        name: Cow::Borrowed(span_name(opening)),
        start_time: Some(began),
        attributes: Some(attributes),
        events: None,
        links: None,
    };
    if opening.asked.is_some() || place.link.is_some() {
        add_rare(&mut builder, opening, place);
    }
    #[expect(clippy::disallowed_methods, reason = "the home of the library's spans")]
    let mut sdk = instance.tracer.build_with_context(builder, &place.context);
    if !sdk.is_recording() {
        // Dropped by the sampler: what is below must know, so the context carries the span's ids.
        let context = place.context.with_remote_span_context(sdk.span_context().clone());
        count(unit, opening, given.run_id, context, true);
        return Ok(());
    }
    // It records: the fields are worth evaluating.
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        fields(&mut Fields { set: &mut |key, value| sdk.set_attribute(kv(key, value)) });
    }));
    if unit.set.overflowing && opening.kind == UnitKind::Workflow {
        // The label set stands for many: it does not know this one's id.
        let enclosing = Enclosing { id: opening.own_id(&unit.set), run_id: given.run_id.clone() };
        unit.workflow = Some(Arc::new(enclosing));
    }
    if let Some(segment) = opening.resumed() {
        unit.share(&given, segment.elapsed());
    }
    unit.set.add_active(1);
    let travelling = travelling(&mut unit, &given);
    let status = Status::Unset;
    let span = UnitSpan { sdk, unit, given, began, status, repeated: false };
    let mut context = place.context.with_span(span);
    if let Some(enclosing) = travelling {
        context = context.with_value(enclosing);
    }
    frame::record(context);
    evaluated
}

fn span_name(opening: &Opening<'_>) -> &'static str {
    match (opening.site, opening.kind) {
        (Some(site), _) => site.span_name,
        (None, UnitKind::Workflow) => span::WORKFLOW_EXECUTE,
        (None, UnitKind::Agent) => span::AGENT_EXECUTE,
    }
}

/// What few units have: another name or kind, links.
#[cold]
fn add_rare(builder: &mut SpanBuilder, opening: &Opening<'_>, place: &Place) {
    let mut links = Vec::new();
    if let Some(asked) = &opening.asked {
        if let Some(name) = &asked.span_name {
            builder.name = name.clone();
        }
        if let Some(kind) = &asked.span_kind {
            builder.span_kind = Some(kind.clone());
        }
        links.clone_from(&asked.links);
    }
    let others = [opening.resumed().and_then(Segment::span_context), place.link.clone()];
    links.extend(others.into_iter().flatten().map(|link| Link::new(link, Vec::new(), 0)));
    builder.links = (!links.is_empty()).then_some(links);
}

/// The spans of a `tracing` subscriber hide ours from whoever is spawned below them; values stay visible.
fn travelling(unit: &mut Unit, given: &Given) -> Option<Enclosing> {
    let subscriber =
        tracing::level_filters::LevelFilter::current() != tracing::level_filters::LevelFilter::OFF;
    (subscriber && unit.kind() == UnitKind::Workflow).then(|| unit.as_enclosing(given))
}
