//! Opens a unit on its first poll: whose child it is, who it is, whether it records.

use super::field::Fields;
use super::frame::{self, Inside};
use super::site::Site;
use super::span::UnitSpan;
use super::text::Text;
use super::unit::{Enclosing, Unit};
use super::{Kind, clock, lifecycle, run_id};
use crate::contract::{attribute as a, gen_ai, kv};
use crate::instance::{self, Instance, Sampling};
use crate::label::LabelValue;
use crate::metrics::{Dimensions, LabelSet, shared};
use crate::segment::Segment;
use opentelemetry::trace::{Link, Span as _, SpanBuilder, SpanContext, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, StringValue};
use opentelemetry_sdk::trace::Span as SdkSpan;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Where and under what a unit was called. It opens from this on its first poll.
pub(crate) struct Seed {
    pub(crate) origin: Origin,
    /// The context at the call: the parent of a unit that is first polled where none is active.
    pub(crate) captured: Context,
}

/// What the identity of a unit starts from.
pub(crate) enum Origin {
    /// A call site: nothing of it was evaluated yet.
    Site(&'static Site),
    /// Everything was evaluated at the call.
    Prepared(Box<Prepared>),
}

impl Seed {
    /// `None` where nothing records.
    #[inline]
    pub(crate) fn at(site: &'static Site) -> Option<Self> {
        if instance::in_use() { Some(Self::capture(Origin::Site(site))) } else { None }
    }

    #[inline(never)]
    pub(crate) fn capture(origin: Origin) -> Self {
        Self { origin, captured: Context::current() }
    }

    /// Whether the body says what the unit is, as its first act.
    pub(crate) fn is_deferred(&self) -> bool {
        matches!(&self.origin, Origin::Site(site) if site.deferred)
    }

    /// Opens what needs nothing from the body.
    #[inline(never)]
    pub(crate) fn open(self) {
        match self.origin {
            Origin::Site(site) => drop(Opening::new(site, self.captured).start()),
            Origin::Prepared(prepared) => {
                let Prepared { mut opening, fields } = *prepared;
                opening.captured = self.captured;
                if let Some(started) = &mut opening.start()
                    && let Some((sdk, _)) = &mut started.live
                {
                    sdk.set_attributes(fields);
                }
            }
        }
    }
}

/// Runs `describe` with the unit whose first poll this is. Nothing is evaluated where nothing records.
#[inline]
pub fn open(describe: impl FnOnce(Opening<'static>)) {
    if instance::in_use()
        && let Some(opening) = opening()
    {
        describe(opening);
    }
}

#[inline(never)]
fn opening() -> Option<Opening<'static>> {
    let seed = frame::seed()?;
    match seed.origin {
        Origin::Site(site) => Some(Opening::new(site, seed.captured)),
        Origin::Prepared(_) => None,
    }
}

/// A unit that is about to open. Each method sets one thing; [`begin`](Opening::begin) opens it.
pub struct Opening<'a> {
    site: Option<&'static Site>,
    captured: Context,
    kind: Kind,
    id: Text<'a>,
    name: Text<'a>,
    second: Text<'a>,
    run_id: Text<'a>,
    labels: Cow<'a, [(&'static str, LabelValue)]>,
    gen_ai: bool,
    rare: Rare,
}

/// What few units ask for.
#[derive(Default)]
struct Rare(Option<Box<Asked>>);

#[derive(Default)]
struct Asked {
    span_name: Option<Cow<'static, str>>,
    span_kind: Option<SpanKind>,
    root: bool,
    parent: Option<Context>,
    links: Vec<Link>,
    resume: Option<Segment>,
}

impl Rare {
    fn ask(&mut self) -> &mut Asked {
        self.0.get_or_insert_default()
    }
}

/// An opening whose expressions were evaluated at the call: for functions that return a future.
pub struct Prepared {
    opening: Opening<'static>,
    fields: Vec<KeyValue>,
}

impl Opening<'static> {
    /// The opening with fields that were evaluated already.
    pub(crate) fn with(self, fields: Vec<KeyValue>) -> Prepared {
        Prepared { opening: self, fields }
    }
}

impl<'a> Opening<'a> {
    fn new(site: &'static Site, captured: Context) -> Self {
        Self { site: Some(site), captured, ..Self::bare(site.kind) }
    }

    /// An opening that belongs to no call site.
    pub(crate) fn bare(kind: Kind) -> Self {
        Self {
            site: None,
            captured: Context::new(),
            kind,
            id: Text::None,
            name: Text::None,
            second: Text::None,
            run_id: Text::None,
            labels: Cow::Borrowed(&[]),
            gen_ai: false,
            rare: Rare::default(),
        }
    }

    /// For [`Prepared`]: the opening of a call site, before its first poll.
    pub(crate) fn prepared(site: &'static Site) -> Self {
        Self::new(site, Context::new())
    }

    /// `id = …`
    #[must_use]
    pub fn id(mut self, id: Text<'a>) -> Self {
        self.id = id;
        self
    }

    /// `name = …`
    #[must_use]
    pub fn name(mut self, name: Text<'a>) -> Self {
        self.name = name;
        self
    }

    /// `trigger = …` (workflows)
    #[must_use]
    pub fn trigger(mut self, trigger: Text<'a>) -> Self {
        self.second = trigger;
        self
    }

    /// `action = …` (agents)
    #[must_use]
    pub fn action(mut self, action: Text<'a>) -> Self {
        self.second = action;
        self
    }

    /// `run_id = …`
    #[must_use]
    pub fn run_id(mut self, run_id: Text<'a>) -> Self {
        self.run_id = run_id;
        self
    }

    /// `labels(…)`
    #[must_use]
    pub fn labels(mut self, labels: &'a [(&'static str, LabelValue)]) -> Self {
        self.labels = Cow::Borrowed(labels);
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
        self.rare.ask().span_name = Some(name.into());
        self
    }

    /// `kind = …`
    #[must_use]
    pub fn span_kind(mut self, kind: SpanKind) -> Self {
        self.rare.ask().span_kind = Some(kind);
        self
    }

    /// `root`
    #[must_use]
    pub fn root(mut self) -> Self {
        self.rare.ask().root = true;
        self
    }

    /// `parent = …`
    #[must_use]
    pub fn parent(mut self, parent: impl Parent) -> Self {
        self.rare.ask().parent = parent.into_parent();
        self
    }

    /// `links = …`
    #[must_use]
    pub fn links(mut self, links: impl IntoIterator<Item = SpanContext>) -> Self {
        let links = links.into_iter().filter(SpanContext::is_valid);
        self.rare.ask().links.extend(links.map(|link| Link::new(link, Vec::new(), 0)));
        self
    }

    /// `resume = …`: the next segment of a run.
    #[must_use]
    pub fn resume(mut self, segment: impl Into<Option<Segment>>) -> Self {
        self.rare.ask().resume = segment.into();
        self
    }

    /// Opens the unit. `fields` is called when it records.
    #[inline]
    pub fn begin(self, fields: impl FnOnce(&mut Fields<'_>)) {
        if let Some(mut started) = self.start() {
            started.fields(fields);
        }
    }

    /// `enabled = …` was false: nothing of this call is recorded.
    pub fn skip(self) {}

    /// Evaluates everything now, for a unit that opens later.
    pub fn prepare(self, fields: impl FnOnce(&mut Fields<'_>)) -> Prepared {
        let mut evaluated = Vec::new();
        // Whether it will record is not known yet; only a sampler that never samples is known beforehand.
        let may_record = instance::current().is_some_and(|current| current.options.sampling != Sampling::Off);
        if may_record {
            fields(&mut Fields { set: &mut |key, value| evaluated.push(kv(key, value)) });
        }
        let opening = Opening {
            id: self.id.into_owned(),
            name: self.name.into_owned(),
            second: self.second.into_owned(),
            run_id: self.run_id.into_owned(),
            labels: Cow::Owned(self.labels.into_owned()),
            site: self.site,
            captured: self.captured,
            kind: self.kind,
            gen_ai: self.gen_ai,
            rare: self.rare,
        };
        Prepared { opening, fields: evaluated }
    }

    /// The opening with labels of its own.
    pub(crate) fn owning(mut self, labels: Vec<(&'static str, LabelValue)>) -> Self {
        self.labels = Cow::Owned(labels);
        self
    }

    /// Resolves labels and parent, counts, and asks the sampler. Gives what records, or settles a unit that only counts.
    #[inline(never)]
    fn start(mut self) -> Option<Started> {
        let asked = self.rare.0.take().map(|asked| *asked);
        let active = Context::current();
        if active.is_telemetry_suppressed() {
            return None;
        }
        let (parent, link) = self.parent_of(asked.as_ref(), active);
        let instance = instance::of(&parent)?;
        let (set, workflow) = self.identify(&instance, asked.as_ref(), &parent);
        let resumed = asked.as_ref().and_then(|asked| asked.resume.as_ref());
        let unit = Unit {
            kind: self.kind,
            started: Instant::now(),
            before: resumed.map_or(Duration::ZERO, Segment::elapsed),
            name: None,
            workflow,
            shared: None,
            set,
            instance,
        };
        if is_known_unsampled(&unit.instance, &parent) {
            count(unit, parent, self.name, resumed.is_some());
            return None;
        }
        self.record(unit, parent, link, asked)
    }

    /// The first-poll rule: the active span is the parent when there is one of the same trace or none was captured,
    /// else the captured one, with a link to the active one.
    fn parent_of(&mut self, asked: Option<&Asked>, active: Context) -> (Context, Option<SpanContext>) {
        let root = self.site.is_some_and(|site| site.root);
        if root || asked.is_some() {
            if let Some(parent) = asked.and_then(|asked| asked.parent.clone()) {
                return (instance::carry(&active, parent), None);
            }
            if root || asked.is_some_and(|asked| asked.root) {
                let link = Some(active.span().span_context().clone()).filter(SpanContext::is_valid);
                return (active.with_remote_span_context(SpanContext::NONE), link);
            }
        }
        let captured = std::mem::take(&mut self.captured);
        let trace = |context: &Context| {
            let span = context.span();
            Some(span.span_context().trace_id()).filter(|_| span.span_context().is_valid())
        };
        let follows_active = match (trace(&captured), trace(&active)) {
            (Some(captured), active) => active == Some(captured),
            (None, Some(_)) => true,
            // No span anywhere; what else travels in a context may have been captured.
            (None, None) => !carries_anything(&captured),
        };
        if follows_active {
            return (active, None);
        }
        let link = Some(active.span().span_context().clone()).filter(SpanContext::is_valid);
        (captured, link)
    }

    /// The label set, and the workflow that agents below inherit.
    fn identify(
        &mut self,
        instance: &Arc<Instance>,
        asked: Option<&Asked>,
        parent: &Context,
    ) -> (Arc<LabelSet>, Option<Enclosing>) {
        let segment = asked.and_then(|asked| asked.resume.as_ref());
        if let Some(segment) = segment {
            self.take_over(segment);
        }
        let set = match self.site {
            Some(site)
                if self.id.as_str().is_none() && self.second.as_str().is_none() && self.labels.is_empty() =>
            {
                site.label_set(instance)
            }
            site => {
                let dimensions = Dimensions {
                    id: self.id.as_str().or(site.map(|site| site.id)).unwrap_or_default(),
                    second: self.second.as_str().or(site.map(|site| site.second)).unwrap_or_default(),
                    extra: &self.labels,
                };
                instance.units.label_set(self.kind, &dimensions)
            }
        };
        let workflow = match self.kind {
            Kind::Workflow => Some(Enclosing {
                id: if set.overflowing { self.own_id(&set) } else { set.id.clone() },
                run_id: std::mem::replace(&mut self.run_id, Text::None)
                    .into_value()
                    .or_else(|| self.site.and_then(|site| site.run_id).map(StringValue::from)),
            }),
            Kind::Agent => frame::enclosing(parent),
        };
        (set, workflow)
    }

    /// A resumed run is who it was.
    fn take_over(&mut self, segment: &Segment) {
        self.id = Text::Owned(segment.workflow_id.clone());
        self.second = Text::Owned(segment.trigger.clone());
        self.run_id = Text::Owned(segment.run_id.clone());
        if let (Some(name), Text::None) = (&segment.name, &self.name) {
            self.name = Text::Owned(name.clone());
        }
    }

    /// The id as given, where the label set stands for many.
    fn own_id(&self, set: &LabelSet) -> StringValue {
        self.id.as_str().map_or_else(|| set.id.clone(), shared)
    }

    /// Asks the sampler, with the attributes that the contract has at start.
    fn record(
        mut self,
        mut unit: Unit,
        parent: Context,
        link: Option<SpanContext>,
        asked: Option<Asked>,
    ) -> Option<Started> {
        let began = clock::wall(unit.started);
        let mut attributes = Vec::with_capacity(CAPACITY);
        self.attributes(&mut unit, began, &mut attributes);
        let asked = asked.unwrap_or_default();
        let mut links = asked.links;
        let segment = asked.resume.as_ref().and_then(Segment::span_context);
        links.extend([segment, link].into_iter().flatten().map(|link| Link::new(link, Vec::new(), 0)));
        let builder = SpanBuilder {
            span_kind: Some(
                asked
                    .span_kind
                    .or_else(|| self.site.map(|site| site.span_kind.clone()))
                    .unwrap_or(SpanKind::Internal),
            ),
            name: asked.span_name.unwrap_or_else(|| Cow::Borrowed(self.default_span_name())),
            start_time: Some(began),
            attributes: Some(attributes),
            events: None,
            links: if links.is_empty() { None } else { Some(links) },
        };
        #[expect(clippy::disallowed_methods, reason = "the home of the library's spans")]
        let sdk = unit.instance.tracer.build_with_context(builder, &parent);
        let resumed = asked.resume.is_some();
        if sdk.is_recording() {
            Some(Started { live: Some((sdk, unit)), parent, began, resumed })
        } else {
            // Dropped by the sampler: what is below must know, so the context carries the span's ids.
            let context = parent.with_span(sdk);
            count(unit, context, self.name, resumed);
            None
        }
    }

    fn default_span_name(&self) -> &'static str {
        match (self.site, self.kind) {
            (Some(site), _) => site.span_name,
            (None, Kind::Workflow) => crate::contract::span::WORKFLOW_EXECUTE,
            (None, Kind::Agent) => crate::contract::span::AGENT_EXECUTE,
        }
    }

    fn attributes(&mut self, unit: &mut Unit, began: SystemTime, attributes: &mut Vec<KeyValue>) {
        let name = std::mem::replace(&mut self.name, Text::None)
            .into_value()
            .or_else(|| self.site.and_then(|site| site.name).map(StringValue::from));
        let set = Arc::clone(&unit.set);
        let second = if set.overflowing {
            self.second.as_str().map_or_else(|| set.second.clone(), shared)
        } else {
            set.second.clone()
        };
        match unit.kind {
            Kind::Workflow => {
                if let Some(workflow) = &mut unit.workflow {
                    let run_id = workflow.run_id.get_or_insert_with(|| run_id::new(began));
                    attributes.push(kv(a::WORKFLOW_RUN_ID, run_id.clone()));
                    attributes.push(kv(a::WORKFLOW_ID, workflow.id.clone()));
                    let name = name.unwrap_or_else(|| workflow.id.clone());
                    attributes.push(kv(a::WORKFLOW_NAME, name.clone()));
                    unit.name = Some(name);
                }
                attributes.push(kv(a::WORKFLOW_TRIGGER, second));
            }
            Kind::Agent => {
                let id = if set.overflowing { self.own_id(&set) } else { set.id.clone() };
                attributes.push(kv(a::AGENT_ID, id));
                if let Some(name) = &name {
                    attributes.push(kv(a::AGENT_NAME, name.clone()));
                }
                attributes.push(kv(a::AGENT_ACTION, second));
                let run_id = std::mem::replace(&mut self.run_id, Text::None)
                    .into_value()
                    .or_else(|| self.site.and_then(|site| site.run_id).map(StringValue::from))
                    .unwrap_or_else(|| run_id::new(began));
                attributes.push(kv(a::AGENT_RUN_ID, run_id));
                if let Some(workflow) = &unit.workflow {
                    if let Some(run_id) = &workflow.run_id {
                        attributes.push(kv(a::WORKFLOW_RUN_ID, run_id.clone()));
                    }
                    attributes.push(kv(a::WORKFLOW_ID, workflow.id.clone()));
                }
                unit.name = name;
            }
        }
        if self.gen_ai || unit.instance.options.gen_ai || self.site.is_some_and(|site| site.gen_ai) {
            gen_ai::describe(unit.kind == Kind::Workflow, &set.id, unit.name.as_ref(), attributes);
        }
    }
}

/// Room for the contract's attributes at start and end and for a few fields, without growing.
const CAPACITY: usize = 14;

/// Whether a context without a span is worth keeping.
fn carries_anything(captured: &Context) -> bool {
    captured.get::<Enclosing>().is_some() || instance::travels_in(captured)
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

/// A unit that is not recorded: its metrics are exact all the same.
fn count(mut unit: Unit, context: Context, name: Text<'_>, resumed: bool) {
    if unit.kind == Kind::Workflow {
        unit.name = match name {
            Text::Static(name) => Some(StringValue::from(name)),
            // An allocation that only a segment would read: `current().segment()` falls back to the id.
            _ => None,
        };
    }
    unit.set.active(&unit.instance.units, 1);
    frame::settle(Inside::Counted(unit, context.clone()));
    lifecycle::started(&context, resumed);
}

/// A unit that records, while its fields are evaluated. It is settled when this is dropped, so that a panic in a field
/// finds a unit to end.
pub(crate) struct Started {
    /// Always there until it is settled.
    live: Option<(SdkSpan, Unit)>,
    parent: Context,
    began: SystemTime,
    resumed: bool,
}

impl Started {
    fn fields(&mut self, fields: impl FnOnce(&mut Fields<'_>)) {
        if let Some((sdk, _)) = &mut self.live {
            fields(&mut Fields { set: &mut |key, value| sdk.set_attribute(kv(key, value)) });
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some((sdk, unit)) = self.live.take() {
            settle(sdk, unit, &self.parent, self.began, self.resumed);
        }
    }
}

#[inline(never)]
fn settle(sdk: SdkSpan, unit: Unit, parent: &Context, began: SystemTime, resumed: bool) {
    unit.set.active(&unit.instance.units, 1);
    let travelling = travelling(&unit);
    let status = opentelemetry::trace::Status::Unset;
    let mut context = parent.with_span(UnitSpan { sdk, unit, began, status, repeated: false });
    if let Some(enclosing) = travelling {
        context = context.with_value(enclosing);
    }
    frame::settle(Inside::Recorded(context.clone()));
    lifecycle::started(&context, resumed);
}

/// The spans of a `tracing` subscriber hide ours from whoever is spawned below them; values stay visible.
fn travelling(unit: &Unit) -> Option<Enclosing> {
    let subscriber =
        tracing::level_filters::LevelFilter::current() != tracing::level_filters::LevelFilter::OFF;
    if subscriber && unit.kind == Kind::Workflow { unit.workflow.clone() } else { None }
}

/// What can be given as `parent = …`.
pub trait Parent {
    /// The context whose span becomes the parent.
    fn into_parent(self) -> Option<Context>;
}

impl Parent for Context {
    fn into_parent(self) -> Option<Context> {
        Some(self)
    }
}

impl Parent for &Context {
    fn into_parent(self) -> Option<Context> {
        Some(self.clone())
    }
}

impl Parent for SpanContext {
    fn into_parent(self) -> Option<Context> {
        Some(Context::current().with_remote_span_context(self))
    }
}

impl Parent for &SpanContext {
    fn into_parent(self) -> Option<Context> {
        self.clone().into_parent()
    }
}

impl<P: Parent> Parent for Option<P> {
    fn into_parent(self) -> Option<Context> {
        self.and_then(Parent::into_parent)
    }
}
