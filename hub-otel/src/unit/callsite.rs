//! A call site: what the macro knows about a unit at compile time, and the label set that its literals lead to.

use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::{span, status};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::SpanKind;
use std::sync::Arc;
use std::sync::OnceLock;

/// An annotated function. Lives in a `static`, so that literal labels are resolved once.
pub struct Site {
    pub(crate) kind: UnitKind,
    pub(crate) id: &'static str,
    pub(crate) name: Option<&'static str>,
    /// trigger or action.
    pub(crate) second: &'static str,
    pub(crate) run_id: Option<&'static str>,
    pub(crate) span_name: &'static str,
    pub(crate) span_kind: SpanKind,
    pub(crate) gen_ai: bool,
    pub(crate) root: bool,
    pub(crate) deferred: bool,
    /// Who the unit is stands here: a call adds nothing but the fields of its span.
    pub(crate) complete: bool,
    resolved: OnceLock<(u64, Arc<LabelSet>)>,
}

impl Site {
    /// A workflow whose id is a literal or the function's name.
    pub const fn workflow(id: &'static str) -> Self {
        Self::new(UnitKind::Workflow, id, status::TRIGGER_MANUAL, span::WORKFLOW_EXECUTE)
    }

    /// An agent whose id and action are literals or the function's name.
    pub const fn agent(id: &'static str, action: &'static str) -> Self {
        Self::new(UnitKind::Agent, id, action, span::AGENT_EXECUTE)
    }

    const fn new(
        kind: UnitKind,
        id: &'static str,
        second: &'static str,
        span_name: &'static str,
    ) -> Self {
        Self {
            kind,
            id,
            name: None,
            second,
            run_id: None,
            span_name,
            span_kind: SpanKind::Internal,
            gen_ai: false,
            root: false,
            deferred: false,
            complete: true,
            resolved: OnceLock::new(),
        }
    }

    /// A literal name.
    #[must_use]
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// A literal trigger (workflows).
    #[must_use]
    pub const fn trigger(mut self, trigger: &'static str) -> Self {
        self.second = trigger;
        self
    }

    /// A literal run id.
    #[must_use]
    pub const fn run_id(mut self, run_id: &'static str) -> Self {
        self.run_id = Some(run_id);
        self
    }

    /// Another span name.
    #[must_use]
    pub const fn span_name(mut self, name: &'static str) -> Self {
        self.span_name = name;
        self
    }

    /// Another span kind.
    #[must_use]
    pub const fn span_kind(mut self, kind: SpanKind) -> Self {
        self.span_kind = kind;
        self
    }

    /// GenAI attributes on this span.
    #[must_use]
    pub const fn gen_ai(mut self) -> Self {
        self.gen_ai = true;
        self
    }

    /// A trace of its own, linked to the span that would have been its parent.
    #[must_use]
    pub const fn root(mut self) -> Self {
        self.root = true;
        self
    }

    /// The body begins with [`open`](crate::unit::arguments::open): something is only known at run time.
    #[must_use]
    pub const fn deferred(mut self) -> Self {
        self.deferred = true;
        self.complete = false;
        self
    }

    /// The same where only `fields(…)` are: a unit that just counts does not ask for them.
    #[must_use]
    pub const fn deferred_fields(mut self) -> Self {
        self.deferred = true;
        self
    }

    /// The label set of the literals.
    pub(crate) fn label_set(&self, instance: &Instance) -> Arc<LabelSet> {
        match self.resolved.get() {
            Some((id, set)) if *id == instance.id => Arc::clone(set),
            _ => self.resolve(instance),
        }
    }

    #[cold]
    fn resolve(&self, instance: &Instance) -> Arc<LabelSet> {
        let dimensions = Dimensions { id: self.id, trigger_or_action: self.second, extra: &[] };
        let set = instance.units.label_set(self.kind, &dimensions);
        // The first instance that comes by keeps the place: in a program there is one.
        let _ = self.resolved.set((instance.id, Arc::clone(&set)));
        set
    }
}
