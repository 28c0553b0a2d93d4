//! What a unit is told before it opens: one method for each argument that only a call knows.

use crate::instance;
use crate::label::LabelValue;
use crate::options::Sampling;
use crate::semconv::kv;
use crate::unit::attribute_value::Fields;
use crate::unit::callsite::Site;
use crate::unit::identity::Text;
use crate::unit::parent::Parent;
use crate::unit::segment::{Resume, Segment};
use crate::unit::stack as frame;
use crate::unit::start::start;
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::Link;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::SpanKind;
use std::borrow::Cow;

/// Runs `describe` with the unit whose first poll this is. Nothing is evaluated where nothing records.
#[inline]
pub fn open(describe: impl FnOnce(Opening<'static>)) {
    if instance::in_use()
        && let Some((site, captured)) = frame::deferred()
    {
        describe(Opening::new(site, captured));
    }
}

/// A unit that is about to open. Each method sets one thing; [`begin`](Opening::begin) opens it.
pub struct Opening<'a> {
    pub(super) site: Option<&'static Site>,
    pub(super) captured: Context,
    pub(super) kind: UnitKind,
    pub(super) id: Text<'a>,
    pub(super) name: Text<'a>,
    /// trigger or action.
    pub(super) second: Text<'a>,
    pub(super) run_id: Text<'a>,
    pub(super) labels: Cow<'a, [(&'static str, LabelValue)]>,
    pub(super) gen_ai: bool,
    pub(super) asked: Option<Box<Asked>>,
}

/// What few units ask for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) span_name: Option<Cow<'static, str>>,
    pub(super) span_kind: Option<SpanKind>,
    pub(super) root: bool,
    pub(super) parent: Option<Context>,
    pub(super) links: Vec<Link>,
    pub(super) resume: Option<Segment>,
}

/// An opening whose expressions were evaluated at the call: for functions that return a future.
pub struct Prepared {
    pub(super) opening: Opening<'static>,
    fields: Vec<KeyValue>,
}

impl Prepared {
    /// The same, called under `context`.
    pub(super) fn captured(mut self, context: Context) -> Self {
        self.opening.captured = context;
        self
    }

    /// Opens the unit.
    pub(super) fn begin(mut self) {
        let mut evaluated = self.fields;
        start(&mut self.opening, &mut |fields| {
            for KeyValue { key, value, .. } in evaluated.drain(..) {
                (fields.set)(key, value);
            }
        });
    }
}

impl Opening<'static> {
    /// The opening with fields that were evaluated already.
    pub(crate) fn with(self, fields: Vec<KeyValue>) -> Prepared {
        Prepared { opening: self, fields }
    }
}

impl<'a> Opening<'a> {
    #[inline]
    pub(super) fn new(site: &'static Site, captured: Context) -> Self {
        Self { site: Some(site), captured, ..Self::bare(site.kind) }
    }

    /// An opening that belongs to no call site.
    #[inline]
    pub(crate) fn bare(kind: UnitKind) -> Self {
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
            asked: None,
        }
    }

    /// For [`Prepared`]: the opening of a call site, before its first poll.
    pub(crate) fn prepared(site: &'static Site) -> Self {
        Self::new(site, Context::new())
    }

    /// The segment that goes on.
    #[inline]
    pub(super) fn resumed(&self) -> Option<&Segment> {
        self.asked.as_deref()?.resume.as_ref()
    }

    fn ask(&mut self) -> &mut Asked {
        self.asked.get_or_insert_default()
    }

    /// `id = …`
    #[inline]
    #[must_use]
    pub fn id(mut self, id: Text<'a>) -> Self {
        self.id = id;
        self
    }

    /// `name = …`
    #[inline]
    #[must_use]
    pub fn name(mut self, name: Text<'a>) -> Self {
        self.name = name;
        self
    }

    /// `trigger = …` (workflows)
    #[inline]
    #[must_use]
    pub fn trigger(mut self, trigger: Text<'a>) -> Self {
        self.second = trigger;
        self
    }

    /// `action = …` (agents)
    #[inline]
    #[must_use]
    pub fn action(mut self, action: Text<'a>) -> Self {
        self.second = action;
        self
    }

    /// `run_id = …`
    #[inline]
    #[must_use]
    pub fn run_id(mut self, run_id: Text<'a>) -> Self {
        self.run_id = run_id;
        self
    }

    /// `labels(…)`
    #[inline]
    #[must_use]
    pub fn labels(mut self, labels: &'a [(&'static str, LabelValue)]) -> Self {
        self.labels = Cow::Borrowed(labels);
        self
    }

    /// `gen_ai`
    #[inline]
    #[must_use]
    pub fn gen_ai(mut self) -> Self {
        self.gen_ai = true;
        self
    }

    /// `span_name = …`
    #[inline]
    #[must_use]
    pub fn span_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.ask().span_name = Some(name.into());
        self
    }

    /// `kind = …`
    #[inline]
    #[must_use]
    pub fn span_kind(mut self, kind: SpanKind) -> Self {
        self.ask().span_kind = Some(kind);
        self
    }

    /// `root`
    #[inline]
    #[must_use]
    pub fn root(mut self) -> Self {
        self.ask().root = true;
        self
    }

    /// `parent = …`
    #[inline]
    #[must_use]
    pub fn parent(mut self, parent: impl Parent) -> Self {
        self.ask().parent = parent.into_parent();
        self
    }

    /// `links = …`
    #[inline]
    #[must_use]
    pub fn links(mut self, links: impl IntoIterator<Item = SpanContext>) -> Self {
        let links = links.into_iter().filter(SpanContext::is_valid);
        self.ask().links.extend(links.map(|link| Link::new(link, Vec::new(), 0)));
        self
    }

    /// `resume = …`: the next segment of a run.
    #[inline]
    #[must_use]
    pub fn resume(mut self, segment: impl Resume) -> Self {
        self.ask().resume = segment.segment();
        self
    }

    /// Opens the unit. `fields` is called when it records.
    #[inline]
    pub fn begin(mut self, fields: impl FnOnce(&mut Fields<'_>)) {
        let mut fields = Some(fields);
        start(&mut self, &mut |recorded| {
            if let Some(fields) = fields.take() {
                fields(recorded);
            }
        });
    }

    /// `enabled = …` was false: nothing of this call is recorded.
    pub fn skip(self) {}

    /// Evaluates everything now, for a unit that opens later.
    pub fn prepare(self, fields: impl FnOnce(&mut Fields<'_>)) -> Prepared {
        let mut evaluated = Vec::new();
        // Whether it will record is not known yet; only a sampler that never samples is known beforehand.
        let may_record =
            instance::current().is_some_and(|current| current.options.sampling != Sampling::Off);
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
            asked: self.asked,
        };
        Prepared { opening, fields: evaluated }
    }

    /// The opening with labels of its own.
    pub(crate) fn owning(mut self, labels: Vec<(&'static str, LabelValue)>) -> Self {
        self.labels = Cow::Owned(labels);
        self
    }
}
