//! Units without the macros: [`workflow()`], [`agent()`], [`llm()`], [`tool()`] and the builder
//! that they return.

mod calls;

pub use crate::unit::builder::calls::{Llm, LlmKind, Tool, ToolKind, llm, retrieval, tool};

use crate::budget::Budget;
use crate::contain::contain;
use crate::instance;
use crate::label::{Label, LabelValue};
use crate::semconv::kv;
use crate::semconv::value::trigger;
use crate::unit::arguments::{EvaluatedArgs, IntoLink, IntoParent, UnitArgs};
use crate::unit::attribute_value::AttributeValue;
use crate::unit::callsite::SpanKind;
use crate::unit::identity::IdentityValue;
use crate::unit::instrumented::{Instrumented, call_prepared, run_prepared};
use crate::unit::outcome::{Classification, Classify};
use crate::unit::segment::IntoSegment;
use crate::unit::stream::{InstrumentedStream, run_stream};
use crate::unit::unrecorded;
use crate::unit_kind::UnitKind;
use futures_core::Stream;
use opentelemetry::{Key, KeyValue};
use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;

/// Describes one segment of a workflow's run, for code without a function to annotate.
///
/// `id` is a metric label: a stable slug, never a generated id.
///
/// ```
/// # async fn scan() -> Result<(), std::io::Error> { Ok(()) }
/// # async fn example() -> Result<(), std::io::Error> {
/// hub_otel::workflow("scan-and-notify").run_id("run-7").trigger("schedule").run(scan()).await?;
/// # Ok(()) }
/// ```
pub fn workflow(id: impl Into<String>) -> Workflow {
    Unit::new(UnitKind::Workflow, |args| {
        args.id(IdentityValue::Owned(id.into())).trigger(IdentityValue::Static(trigger::MANUAL))
    })
}

/// Describes one logical execution of an agent, all attempts included, for code without a function
/// to annotate.
///
/// `id` and `action` are metric labels: stable slugs, never generated ids.
///
/// ```
/// # async fn plan() -> Result<String, std::io::Error> { Ok(String::new()) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let plan = hub_otel::agent("planner", "plan").field("model", "m-1").run(plan()).await?;
/// # Ok(()) }
/// ```
pub fn agent(id: impl Into<String>, action: impl Into<String>) -> Agent {
    Unit::new(UnitKind::Agent, |args| {
        args.id(IdentityValue::Owned(id.into())).action(IdentityValue::Owned(action.into()))
    })
}

/// Marks a [`Unit`] as a workflow.
///
/// ```
/// use hub_otel::{Unit, WorkflowKind};
///
/// /// Settings that all workflows of a service share.
/// fn configure(unit: Unit<WorkflowKind>) -> Unit<WorkflowKind> {
///     unit.trigger("schedule")
/// }
///
/// configure(hub_otel::workflow("nightly")).call(|| ());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WorkflowKind;

/// Marks a [`Unit`] as an agent.
///
/// ```
/// use hub_otel::{AgentKind, Unit};
///
/// fn with_region(unit: Unit<AgentKind>) -> Unit<AgentKind> {
///     unit.field("region", "eu-west")
/// }
///
/// with_region(hub_otel::agent("scanner", "scan")).call(|| ());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AgentKind;

mod sealed {
    pub trait RunKind {}
    impl RunKind for super::WorkflowKind {}
    impl RunKind for super::AgentKind {}
}
use sealed::RunKind;

/// A segment of a workflow's run, before it starts. See [`workflow()`].
pub type Workflow = Unit<WorkflowKind>;

/// An execution of an agent, before it starts. See [`agent()`].
pub type Agent = Unit<AgentKind>;

/// A unit of work, before it starts: a [`Workflow`], an [`Agent`], an [`Llm`] or a [`Tool`].
///
/// [`run`](Self::run) and [`run_with`](Self::run_with) wrap a future,
/// [`run_stream`](Self::run_stream) and [`run_stream_with`](Self::run_stream_with) a stream,
/// [`call`](Self::call) and [`call_with`](Self::call_with) a closure. Without telemetry the unit
/// keeps nothing and the body runs unchanged.
///
/// ```
/// # async fn scan(path: &str) -> Result<u64, std::io::Error> { Ok(1) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let files = hub_otel::agent("scanner", "scan")
///     .name("File scanner")
///     .field("path", "/srv")
///     .label("region", "eu-west")
///     .run(scan("/srv"))
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "a unit does nothing before `run` or `call`"]
pub struct Unit<K> {
    /// `None` without telemetry.
    args: Option<UnitArgs<'static>>,
    labels: Vec<(&'static str, LabelValue)>,
    fields: Vec<KeyValue>,
    kind: PhantomData<K>,
}

impl Unit<WorkflowKind> {
    /// Sets what started the run: `manual` (the default), `schedule`, `event`, …
    pub fn trigger(self, trigger: impl Into<String>) -> Self {
        self.map(|args| args.trigger(IdentityValue::Owned(trigger.into())))
    }

    /// Resumes a run that was suspended or handed over. Id, trigger, run id and executed time are
    /// those of the segment.
    ///
    /// ```
    /// # async fn apply() {}
    /// # async fn example(stored: hub_otel::Segment) {
    /// hub_otel::workflow("patch").resume(stored).run(apply()).await;
    /// # }
    /// ```
    pub fn resume(self, segment: impl IntoSegment) -> Self {
        self.map(|args| args.resume(segment))
    }
}

impl<K: RunKind> Unit<K> {
    /// Limits what the calls below the unit may spend. Without telemetry nothing is limited.
    ///
    /// ```
    /// # async fn research() {}
    /// # async fn example() {
    /// let budget = hub_otel::Budget::new().usd(1.5).llm_calls(50);
    /// hub_otel::workflow("research").budget(budget).run(research()).await;
    /// # }
    /// ```
    pub fn budget(self, budget: Budget) -> Self {
        self.map(|args| args.budget(budget))
    }

    /// Sets the run id. Defaults to a new UUIDv7.
    pub fn run_id(self, run_id: impl Into<String>) -> Self {
        self.map(|args| args.run_id(IdentityValue::Owned(run_id.into())))
    }

    /// Sets the display name.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.map(|args| args.name(IdentityValue::Owned(name.into())))
    }

    /// Sets the conversation that the run belongs to: `gen_ai.conversation.id` of this unit and of
    /// every one below it.
    pub fn conversation(self, id: impl Into<String>) -> Self {
        self.map(|args| args.conversation(IdentityValue::Owned(id.into())))
    }

    /// Sets an attribute of this unit and of every one below it: see
    /// [`Current::run_attribute`](crate::Current::run_attribute).
    ///
    /// ```
    /// hub_otel::workflow("import").run_attribute("tenant.id", "acme").call(|| ());
    /// ```
    pub fn run_attribute(
        self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.map(|args| args.run_attribute(Key::from(key.into()), &value.into()))
    }

    /// Adds a label to the runs counter and the duration histogram.
    pub fn label(mut self, key: &'static str, value: impl Label) -> Self {
        // Code of the user.
        self.labels.extend(contain(|| value.label()).map(|value| (key, value)));
        self
    }

    /// Adds the GenAI attributes to the span.
    pub fn gen_ai(self) -> Self {
        self.map(UnitArgs::gen_ai)
    }
}

impl<K> Unit<K> {
    fn new(kind: UnitKind, describe: impl FnOnce(UnitArgs<'static>) -> UnitArgs<'static>) -> Self {
        let args = instance::in_use().then(|| describe(UnitArgs::without_callsite(kind)));
        if args.is_none() {
            unrecorded::before_the_install(kind, "");
        }
        Self { args, labels: Vec::new(), fields: Vec::new(), kind: PhantomData }
    }

    fn map(mut self, change: impl FnOnce(UnitArgs<'static>) -> UnitArgs<'static>) -> Self {
        self.args = self.args.map(change);
        self
    }

    fn prepare(self) -> Option<EvaluatedArgs> {
        let Self { args, labels, fields, .. } = self;
        Some(args?.owned_labels(labels).with_fields(fields))
    }

    /// Sets a span attribute.
    pub fn field(mut self, key: impl Into<Cow<'static, str>>, value: impl AttributeValue) -> Self {
        if self.args.is_some()
            && let Some(value) = value.to_otel()
        {
            self.fields.push(kv(Key::from(key.into()), value));
        }
        self
    }

    /// Sets the parent. Defaults to the active span.
    ///
    /// ```
    /// # async fn handle() {}
    /// # async fn example(headers: std::collections::HashMap<String, String>) {
    /// let caller = hub_otel::propagation::extract(&headers);
    /// hub_otel::agent("scanner", "scan").parent(caller).run(handle()).await;
    /// # }
    /// ```
    pub fn parent(self, parent: impl IntoParent) -> Self {
        self.map(|args| args.parent(parent))
    }

    /// Starts a trace of its own, linked to the active span.
    pub fn root(self) -> Self {
        self.map(UnitArgs::root)
    }

    /// Links the unit to other spans.
    pub fn links<L: IntoLink>(self, links: impl IntoIterator<Item = L>) -> Self {
        self.map(|args| args.links(links))
    }

    /// Sets the span kind. Defaults to [`SpanKind::Internal`], for a call of a model to
    /// [`SpanKind::Client`].
    pub fn kind(self, kind: SpanKind) -> Self {
        self.map(|args| args.span_kind(kind))
    }

    /// Runs `future` as this unit.
    ///
    /// The output defines the outcome: an error fails the unit, with the type that its
    /// [`ErrorType`](crate::ErrorType) returns. For errors without `ErrorType`, and for other
    /// outputs, use [`run_with`](Self::run_with).
    ///
    /// # Cancellation
    /// A future that is dropped before completion ends the unit CANCELLED.
    pub fn run<F>(self, future: F) -> Instrumented<F, fn(&F::Output, &mut Classification)>
    where
        F: Future,
        F::Output: Classify,
    {
        run_prepared(self.prepare(), future, classify::<F::Output>)
    }

    /// Runs `future` as this unit. `classify` sets the outcome.
    ///
    /// ```
    /// # use std::fmt::Error as Foreign;
    /// # async fn review() -> Result<Option<String>, Foreign> { Ok(None) }
    /// # async fn example() -> Result<Option<String>, Foreign> {
    /// use hub_otel::{Classification, UnitStatus};
    ///
    /// fn classify(result: &Result<Option<String>, Foreign>, outcome: &mut Classification) {
    ///     match result {
    ///         Ok(None) => outcome.status(UnitStatus::Rejected),
    ///         result => outcome.by_error_type(result),
    ///     }
    /// }
    /// hub_otel::workflow("release").run_with(review(), classify).await
    /// # }
    /// ```
    ///
    /// # Cancellation
    /// A future that is dropped before completion ends the unit CANCELLED.
    pub fn run_with<F, C>(self, future: F, classify: C) -> Instrumented<F, C>
    where
        F: Future,
        C: Fn(&F::Output, &mut Classification),
    {
        run_prepared(self.prepare(), future, classify)
    }

    /// Runs `stream` as this unit, from its first poll to its end.
    ///
    /// The first item that is an error fails the unit, also if the stream continues. For items
    /// that are no `Result`, use [`run_stream_with`](Self::run_stream_with).
    ///
    /// # Cancellation
    /// A stream that is dropped before its end ends the unit CANCELLED, unless an item was an
    /// error.
    pub fn run_stream<S>(
        self,
        stream: S,
    ) -> InstrumentedStream<S, fn(&S::Item, &mut Classification)>
    where
        S: Stream,
        S::Item: Classify,
    {
        run_stream(self.prepare(), stream, classify::<S::Item>)
    }

    /// Runs `stream` as this unit. `classify` is called with each item until one is no success.
    ///
    /// ```
    /// # use futures_util::{Stream, StreamExt, stream};
    /// # fn words() -> impl Stream<Item = &'static str> { stream::iter(["a", "b"]) }
    /// # async fn example() {
    /// let words = hub_otel::agent("writer", "write").run_stream_with(words(), |_, _| {});
    /// assert_eq!(words.count().await, 2);
    /// # }
    /// ```
    ///
    /// # Cancellation
    /// A stream that is dropped before its end ends the unit CANCELLED, unless an item was no
    /// success.
    pub fn run_stream_with<S, C>(self, stream: S, classify: C) -> InstrumentedStream<S, C>
    where
        S: Stream,
        C: Fn(&S::Item, &mut Classification),
    {
        run_stream(self.prepare(), stream, classify)
    }

    /// Calls `body`, which is not async, as this unit.
    ///
    /// ```
    /// let parse = || "7".parse::<u8>().map_err(|_| "not a number");
    /// let parsed = hub_otel::agent("parser", "parse").call(parse);
    /// assert_eq!(parsed, Ok(7));
    /// ```
    pub fn call<T: Classify>(self, body: impl FnOnce() -> T) -> T {
        call_prepared(self.prepare(), body, classify::<T>)
    }

    /// Calls `body`, which is not async, as this unit. `classify` sets the outcome.
    pub fn call_with<T>(
        self,
        body: impl FnOnce() -> T,
        classify: impl FnOnce(&T, &mut Classification),
    ) -> T {
        call_prepared(self.prepare(), body, classify)
    }
}

fn classify<T: Classify>(value: &T, outcome: &mut Classification) {
    value.classify(outcome);
}

impl<K> std::fmt::Debug for Unit<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit").finish_non_exhaustive()
    }
}
