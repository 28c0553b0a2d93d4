//! Call site of an annotated function: its literal arguments, and their label set. Span kinds.

use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::span;
use crate::semconv::value::trigger;
use crate::unit_kind::UnitKind;
use std::sync::Arc;
use std::sync::OnceLock;

/// An annotated function. A `static`, so that the label set of its literals is resolved once.
///
/// The arguments of a call of a model or a tool are in the places that `unit::call` lists.
pub struct Callsite {
    pub(crate) kind: UnitKind,
    pub(crate) id: &'static str,
    pub(crate) name: Option<&'static str>,
    /// Trigger of a workflow, action of an agent.
    pub(crate) trigger_or_action: &'static str,
    pub(crate) run_id: Option<&'static str>,
    /// Empty: made of the arguments of the call.
    pub(crate) span_name: &'static str,
    pub(crate) span_kind: SpanKind,
    pub(crate) gen_ai: bool,
    pub(crate) root: bool,
    /// The body opens the unit, with arguments that are only known at the call.
    pub(crate) deferred: bool,
    resolved: OnceLock<(u64, Arc<LabelSet>)>,
}

impl Callsite {
    /// Call site of a workflow whose id is a literal or the function's name.
    pub const fn workflow(id: &'static str) -> Self {
        Self::new(UnitKind::Workflow, id, trigger::MANUAL, span::WORKFLOW_EXECUTE)
    }

    /// Call site of an agent whose id and action are literals or the function's name.
    pub const fn agent(id: &'static str, action: &'static str) -> Self {
        Self::new(UnitKind::Agent, id, action, span::AGENT_EXECUTE)
    }

    /// Call site of a call of a model.
    pub const fn llm() -> Self {
        Self::new(UnitKind::Llm, "", "", "").span_kind(SpanKind::Client)
    }

    /// Call site of a tool whose name is a literal or the function's name.
    pub const fn tool(name: &'static str) -> Self {
        Self::new(UnitKind::Tool, name, "", "")
    }

    const fn new(
        kind: UnitKind,
        id: &'static str,
        trigger_or_action: &'static str,
        span_name: &'static str,
    ) -> Self {
        Self {
            kind,
            id,
            name: None,
            trigger_or_action,
            run_id: None,
            span_name,
            span_kind: SpanKind::Internal,
            gen_ai: false,
            root: false,
            deferred: false,
            resolved: OnceLock::new(),
        }
    }

    /// `name = "…"`
    #[must_use]
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// `trigger = "…"` (workflows)
    #[must_use]
    pub const fn trigger(mut self, trigger: &'static str) -> Self {
        self.trigger_or_action = trigger;
        self
    }

    /// `run_id = "…"`
    #[must_use]
    pub const fn run_id(mut self, run_id: &'static str) -> Self {
        self.run_id = Some(run_id);
        self
    }

    /// `provider = "…"` (calls of models)
    #[must_use]
    pub const fn provider(mut self, provider: &'static str) -> Self {
        self.name = Some(provider);
        self
    }

    /// `model = "…"` (calls of models)
    #[must_use]
    pub const fn model(mut self, model: &'static str) -> Self {
        self.id = model;
        self
    }

    /// `operation = "…"` (calls of models)
    #[must_use]
    pub const fn operation(mut self, operation: &'static str) -> Self {
        self.trigger_or_action = operation;
        self
    }

    /// `data_source = "…"` (calls of models)
    #[must_use]
    pub const fn data_source(mut self, id: &'static str) -> Self {
        self.run_id = Some(id);
        self
    }

    /// `call_id = "…"` (tools)
    #[must_use]
    pub const fn call_id(mut self, id: &'static str) -> Self {
        self.run_id = Some(id);
        self
    }

    /// `span_name = "…"`
    #[must_use]
    pub const fn span_name(mut self, name: &'static str) -> Self {
        self.span_name = name;
        self
    }

    /// `kind = …`
    #[must_use]
    pub const fn span_kind(mut self, kind: SpanKind) -> Self {
        self.span_kind = kind;
        self
    }

    /// `gen_ai`
    #[must_use]
    pub const fn gen_ai(mut self) -> Self {
        self.gen_ai = true;
        self
    }

    /// `root`
    #[must_use]
    pub const fn root(mut self) -> Self {
        self.root = true;
        self
    }

    /// The body calls [`open`](crate::unit::start::open) first: some arguments are only known at
    /// the call.
    #[must_use]
    pub const fn deferred(mut self) -> Self {
        self.deferred = true;
        self
    }

    /// Returns the label set of the literals.
    pub(crate) fn label_set(&self, instance: &Instance) -> Arc<LabelSet> {
        match self.resolved.get() {
            Some((id, set)) if *id == instance.id => Arc::clone(set),
            _ => self.resolve(instance),
        }
    }

    #[cold]
    fn resolve(&self, instance: &Instance) -> Arc<LabelSet> {
        let dimensions =
            Dimensions { id: self.id, trigger_or_action: self.trigger_or_action, extra: &[] };
        let set = instance.units.label_set(self.kind, &dimensions);
        // Cached for the first instance only: a program has one, tests have several.
        let _ = self.resolved.set((instance.id, Arc::clone(&set)));
        set
    }
}

/// Kind of a unit's span. An enum of this crate, because its API has no type of an OpenTelemetry
/// 0.x crate.
///
/// ```
/// # async fn handle() {}
/// # async fn example() {
/// use hub_otel::SpanKind;
///
/// hub_otel::workflow("import").kind(SpanKind::Consumer).run(handle()).await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work inside the service. The default.
    #[default]
    Internal,
    /// Handles a request of a remote caller that waits for the response.
    Server,
    /// Sends a request to a remote service and waits for the response.
    Client,
    /// Creates a message that is handled later.
    Producer,
    /// Handles a message of a producer.
    Consumer,
}

impl SpanKind {
    pub(crate) fn into_otel(self) -> opentelemetry::trace::SpanKind {
        use opentelemetry::trace::SpanKind as Otel;
        match self {
            Self::Internal => Otel::Internal,
            Self::Server => Otel::Server,
            Self::Client => Otel::Client,
            Self::Producer => Otel::Producer,
            Self::Consumer => Otel::Consumer,
        }
    }
}
