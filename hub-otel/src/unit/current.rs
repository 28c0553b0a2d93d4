//! The running unit, for facts that only turn up while it runs.

use crate::instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::{attribute as a, event, kv};
use crate::sync::MutexGuard;
use crate::unit::attribute_value::Field;
use crate::unit::finish::text;
use crate::unit::sealable::Told;
use crate::unit::segment::Segment;
use crate::unit::state::{Enclosing, Late, Shared};
use crate::unit::{lookup as running, segment};
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::Key;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::trace::TraceContextExt;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The unit of work that is running here: the innermost annotated function, or builder, around this line.
///
/// Outside any unit, and where nothing records, the handle does nothing. It may be kept, and sent to another thread;
/// after the unit has ended it does nothing any more.
///
/// ```
/// # struct Plan { model: String } fn plan() -> Plan { Plan { model: "m".into() } }
/// #[hub_otel::instrument_agent(id = "planner", action = "plan")]
/// async fn make_plan() {
///     let plan = plan();
///     hub_otel::current().record("plan.model", plan.model);
/// }
/// ```
pub fn current() -> Current {
    if !instance::in_use() {
        return Current { unit: None };
    }
    let (unit, _) = Context::map_current(|context| (running::unit(context), ()));
    Current { unit: unit.map(|(shared, context)| Unit { shared, context }) }
}

/// A handle to a running unit. See [`current`].
#[derive(Debug, Clone)]
#[must_use = "a handle does nothing by itself"]
pub struct Current {
    unit: Option<Unit>,
}

#[derive(Debug, Clone)]
struct Unit {
    shared: Arc<Shared>,
    /// The unit's span; absent when it only counts.
    context: Option<Context>,
}

impl Current {
    /// Sets a span attribute. The last value of a key stays.
    pub fn record(&self, key: impl Into<Cow<'static, str>>, value: impl Field) -> &Self {
        if let Some(Unit { context: Some(context), .. }) = &self.unit
            && let Some(value) = value.value()
        {
            context.span().set_attribute(kv(Key::from(key.into()), value));
        }
        self
    }

    /// Adds a span event.
    pub fn add_event<K, V>(
        &self,
        name: impl Into<Cow<'static, str>>,
        attributes: impl IntoIterator<Item = (K, V)>,
    ) -> &Self
    where
        K: Into<Cow<'static, str>>,
        V: Field,
    {
        if let Some(Unit { context: Some(context), .. }) = &self.unit {
            let attributes = attributes.into_iter();
            let attributes = attributes
                .filter_map(|(key, value)| Some(kv(Key::from(key.into()), value.value()?)));
            context.span().add_event(name, attributes.collect());
        }
        self
    }

    /// An attempt failed for `reason`, a stable word, and is tried again: counts in agent.retry.count.
    pub fn record_retry(&self, reason: impl Into<Cow<'static, str>>) -> &Self {
        self.retried(reason.into(), None)
    }

    /// Like [`retry`](Self::retry), and says how long until the next attempt.
    pub fn record_retry_after(
        &self,
        reason: impl Into<Cow<'static, str>>,
        delay: Duration,
    ) -> &Self {
        self.retried(reason.into(), Some(delay))
    }

    fn retried(&self, reason: Cow<'static, str>, delay: Option<Duration>) -> &Self {
        let Some((unit, mut late)) = self.running() else { return self };
        late.retries += 1;
        let attempt = late.retries;
        let set = Arc::clone(&late.set);
        drop(late);
        set.record_retry(&reason);
        let delay_ms = delay.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        tracing::event!(name: event::AGENT_RETRY, target: crate::semconv::SCOPE, tracing::Level::WARN, {
            { a::AGENT_ID } = set.id.as_str(),
            { a::AGENT_RETRY_ATTEMPT } = attempt,
            { a::AGENT_RETRY_REASON } = &*reason,
            { a::AGENT_RETRY_DELAY_MS } = delay_ms,
        }, "{}", event::AGENT_RETRY);
        if let Some(context) = &unit.context {
            let mut attributes: Vec<KeyValue> =
                vec![kv(a::AGENT_RETRY_ATTEMPT, attempt), kv(a::AGENT_RETRY_REASON, text(reason))];
            attributes.extend(delay_ms.map(|delay| kv(a::AGENT_RETRY_DELAY_MS, delay)));
            context.span().add_event(event::AGENT_RETRY, attributes);
        }
        self
    }

    /// The identity of a workflow that is only known after a database read. Moves the unit: one fewer is active under
    /// the old id, one more under the new one.
    pub fn set_workflow<'a>(
        &self,
        id: &str,
        name: impl Into<Option<&'a str>>,
        trigger: impl Into<Option<&'a str>>,
    ) -> &Self {
        let Some((unit, mut late)) = self.running() else { return self };
        if unit.shared.kind != UnitKind::Workflow {
            return self;
        }
        let old = Arc::clone(&late.set);
        let trigger = trigger.into().unwrap_or(old.trigger_or_action.as_str());
        let dimensions = Dimensions { id, trigger_or_action: trigger, extra: old.extra() };
        let Some(set) = sibling(unit, &old, &dimensions) else { return self };
        let id = own(&set, id, &set.id);
        let trigger = own(&set, trigger, &set.trigger_or_action);
        let name = name.into().map_or_else(|| id.clone(), crate::shared_str::share_str);
        late.set = Arc::clone(&set);
        late.name = Some(name.clone());
        if let Some(workflow) = &mut late.workflow {
            *workflow = Arc::new(Enclosing { id: id.clone(), run_id: workflow.run_id.clone() });
        }
        // Before the lock is let go: an end in between would take the new one from a gauge that has not got it yet.
        set.add_active(1);
        old.add_active(-1);
        drop(late);
        if let Some(context) = &unit.context {
            context.span().set_attributes([
                kv(a::WORKFLOW_ID, id),
                kv(a::WORKFLOW_NAME, name),
                kv(a::WORKFLOW_TRIGGER, trigger),
            ]);
        }
        self
    }

    /// The unit will end FAILED with this error type, a stable word, whatever it returns.
    pub fn set_failed(&self, kind: impl Into<Cow<'static, str>>) -> &Self {
        self.late(|late| late.failed = Some(kind.into()))
    }

    /// The unit will end TIMED_OUT, whatever it returns.
    pub fn set_timed_out(&self) -> &Self {
        self.late(|late| late.timed_out = true)
    }

    /// The workflow's segment ends SUSPENDED when its future finishes, whatever it returns: the run goes on later.
    /// Neither the counter nor the histogram sees it. Take the [`segment`](Self::segment) too, to resume it.
    pub fn suspend(&self, reason: impl Into<Cow<'static, str>>) -> &Self {
        if self.unit.as_ref().is_some_and(|unit| unit.shared.kind == UnitKind::Workflow) {
            self.late(|late| late.suspended = Some(reason.into()));
        }
        self
    }

    /// What the workflow needs to go on later. `None` outside a workflow, and where nothing records.
    pub fn segment(&self) -> Option<Segment> {
        let unit = self.unit.as_ref().filter(|unit| unit.shared.kind == UnitKind::Workflow)?;
        let late = unit.shared.late();
        let workflow = late.workflow.as_ref()?;
        let executed =
            (unit.shared.before + unit.shared.started.elapsed()).saturating_sub(late.waited);
        Some(Segment {
            workflow_id: workflow.id.as_str().to_owned(),
            name: late.name.as_ref().map(|name| name.as_str().to_owned()),
            trigger: late.set.trigger_or_action.as_str().to_owned(),
            run_id: workflow
                .run_id
                .as_ref()
                .map_or_else(String::new, |run_id| run_id.as_str().to_owned()),
            traceparent: unit
                .context
                .as_ref()
                .and_then(|context| segment::write(context.span().span_context())),
            elapsed_ms: u64::try_from(executed.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Whether a span records this unit: what costs much to gather is worth gathering.
    pub fn is_recording(&self) -> bool {
        let context = self.unit.as_ref().and_then(|unit| unit.context.as_ref());
        context.is_some_and(|context| context.span().is_recording())
    }

    /// Takes a wait out of the time that the run has executed.
    pub(crate) fn waited(&self, wait: Duration) {
        self.late(|late| late.waited += wait);
    }

    fn late(&self, change: impl FnOnce(&mut Late)) -> &Self {
        if let Some((_, mut late)) = self.running() {
            change(&mut late);
        }
        self
    }

    fn running(&self) -> Option<(&Unit, MutexGuard<'_, Told<Late>>)> {
        let unit = self.unit.as_ref()?;
        Some((unit, unit.shared.running()?))
    }
}

/// Returns the label set of another identity in the instance of `unit`.
fn sibling(unit: &Unit, set: &LabelSet, dimensions: &Dimensions<'_>) -> Option<Arc<LabelSet>> {
    let in_context = |context: &Context| {
        let instance = instance::find(context)?;
        // A handle that was moved to another task finds the instance of that task.
        let is_same = Arc::ptr_eq(&instance.units.instruments, &set.instruments);
        is_same.then(|| instance.units.label_set(set.kind, dimensions))
    };
    match &unit.context {
        Some(context) => in_context(context),
        None => Context::map_current(in_context),
    }
}

fn own(set: &LabelSet, given: &str, known: &StringValue) -> StringValue {
    if set.overflowing { crate::shared_str::share_str(given) } else { known.clone() }
}

/// The deadline of the running unit passed.
pub(crate) fn time_out() {
    current().set_timed_out();
}
