//! Handle to the unit in progress, for facts that are only known while it runs.

mod call;
mod content;
mod run;

use crate::budget::account::{Account, CallKind};
use crate::budget::{BudgetExceeded, Spent};
use crate::instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::{attribute as a, event, kv};
use crate::shared_str::share_str;
use crate::unit::attribute_value::AttributeValue;
use crate::unit::run_attributes::RunAttributes;
use crate::unit::segment::{Segment, format_traceparent};
use crate::unit::span::{RecordLimits, UnitSpan};
use crate::unit::state::{ActiveUnit, LateState};
use crate::unit::{clock, events, stack};
use crate::unit_kind::UnitKind;
use opentelemetry::{Key, KeyValue, StringValue};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Returns a handle to the unit in progress: the innermost annotated function, or builder, around
/// the call.
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
    let unit = instance::in_use().then(stack::current_unit).flatten();
    Current { unit }
}

/// A handle to a unit in progress. See [`current`].
///
/// The handle may be kept and sent to another thread. Its methods have no effect outside a unit,
/// after the unit's end, and without telemetry.
///
/// ```
/// use std::time::Duration;
///
/// # async fn request() -> Result<String, std::io::Error> { Ok(String::new()) }
/// #[hub_otel::instrument_agent(id = "planner", action = "plan")]
/// async fn plan() -> Result<String, std::io::Error> {
///     let unit = hub_otel::current();
///     match request().await {
///         Ok(plan) => Ok(plan),
///         Err(_) => {
///             unit.record_retry_after("unreachable", Duration::from_millis(250));
///             request().await
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a handle does nothing by itself"]
pub struct Current {
    unit: Option<Arc<ActiveUnit>>,
}

impl Current {
    /// Sets a span attribute. A later value of the same key replaces it.
    pub fn record(&self, key: impl Into<Cow<'static, str>>, value: impl AttributeValue) -> &Self {
        if self.is_recording()
            && let Some(value) = value.to_otel()
        {
            self.set_attribute(kv(Key::from(key.into()), value));
        }
        self
    }

    /// Adds a span event.
    ///
    /// ```
    /// hub_otel::current().add_event("cache.lookup", [("hit", true)]);
    /// ```
    pub fn add_event<K, V>(
        &self,
        name: impl Into<Cow<'static, str>>,
        attributes: impl IntoIterator<Item = (K, V)>,
    ) -> &Self
    where
        K: Into<Cow<'static, str>>,
        V: AttributeValue,
    {
        if self.is_recording() {
            // Collected before the span is locked: the iterator is user code.
            let mut attributes = attributes
                .into_iter()
                .filter_map(|(key, value)| Some(kv(Key::from(key.into()), value.to_otel()?)))
                .collect();
            if let Some(unit) = &self.unit {
                unit.instance.gen_ai.content.admit_all(&mut attributes);
            }
            let name = name.into();
            let (_, now) = clock::now();
            self.change_span(|span, limits| span.add_event(name, now, attributes, limits));
        }
        self
    }

    /// Records an attempt that failed for `reason`, a stable word, and is retried: counts in
    /// `agent.retry.count`. In a call of a model or of a tool, the agent that makes the call is
    /// retried.
    pub fn record_retry(&self, reason: impl Into<Cow<'static, str>>) -> &Self {
        self.retry(reason.into(), None)
    }

    /// Does what [`record_retry`](Self::record_retry) does, with the delay until the next attempt.
    pub fn record_retry_after(
        &self,
        reason: impl Into<Cow<'static, str>>,
        delay: Duration,
    ) -> &Self {
        self.retry(reason.into(), Some(delay))
    }

    fn retry(&self, reason: Cow<'static, str>, delay: Option<Duration>) -> &Self {
        if let Some(owner) = self.owner_of_call() {
            owner.retry(reason, delay);
            return self;
        }
        let Some(mut late) = self.unit.as_ref().and_then(|unit| unit.change_late()) else {
            return self;
        };
        late.retries += 1;
        let attempt = late.retries;
        let label_set = Arc::clone(&late.label_set);
        drop(late);
        label_set.record_retry(&reason);
        let delay_ms = delay.map(events::whole_milliseconds);
        events::log_retry(&label_set, attempt, &reason, delay_ms);
        let (_, now) = clock::now();
        self.change_span(|span, limits| {
            let mut attributes: Vec<KeyValue> =
                vec![kv(a::AGENT_RETRY_ATTEMPT, attempt), kv(a::AGENT_RETRY_REASON, reason)];
            attributes.extend(delay_ms.map(|delay| kv(a::AGENT_RETRY_DELAY_MS, delay)));
            span.add_event(Cow::Borrowed(event::AGENT_RETRY), now, attributes, limits);
        });
        self
    }

    /// Sets the identity of a workflow that is only known after it started.
    ///
    /// `None` as name sets the id as name; `None` as trigger keeps the trigger. The gauge of active
    /// workflows moves from the old id to the new one.
    ///
    /// ```
    /// #[hub_otel::instrument_workflow]
    /// async fn execute(row: u64) {
    ///     // … after the database read:
    ///     hub_otel::current().set_workflow("nightly-sync", "Nightly sync", "schedule");
    /// }
    /// ```
    pub fn set_workflow<'a>(
        &self,
        id: &str,
        name: impl Into<Option<&'a str>>,
        trigger: impl Into<Option<&'a str>>,
    ) -> &Self {
        let Some(unit) = self.workflow_unit() else { return self };
        let Some(mut late) = unit.change_late() else { return self };
        let old = Arc::clone(&late.label_set);
        let trigger = trigger.into().unwrap_or(old.trigger_or_action.as_str());
        let dimensions = Dimensions { id, trigger_or_action: trigger, extra: old.extra() };
        let new = unit.instance.units.label_set(UnitKind::Workflow, &dimensions);
        let id = label_value(&new, id, &new.id);
        let trigger = label_value(&new, trigger, &new.trigger_or_action);
        let name = name.into().map_or_else(|| id.clone(), share_str);
        late.label_set = Arc::clone(&new);
        late.name = Some(name.clone());
        if let Some(workflow) = &mut late.workflow {
            workflow.id = id.clone();
        }
        // Under the lock: an end in between would decrement the new gauge before its increment.
        new.add_active(1);
        old.add_active(-1);
        drop(late);
        let (id, name, trigger) =
            (kv(a::WORKFLOW_ID, id), kv(a::WORKFLOW_NAME, name), kv(a::WORKFLOW_TRIGGER, trigger));
        self.change_span(|span, limits| {
            [id, name, trigger].into_iter().for_each(|late| span.set_attribute(late, limits));
        });
        self
    }

    /// Ends the unit FAILED with this error type, a stable word. Overrides its result.
    pub fn set_failed(&self, error_type: impl Into<Cow<'static, str>>) -> &Self {
        self.change_late(|late| late.outcome().failed = Some(error_type.into()))
    }

    /// Ends the unit TIMED_OUT. Overrides its result.
    pub fn set_timed_out(&self) -> &Self {
        self.change_late(|late| late.outcome().timed_out = true)
    }

    /// Marks the current segment of a workflow as suspended.
    ///
    /// The status is applied when the future completes and overrides its result, except for a
    /// failure or timeout that was set. A suspended segment is not counted. Store the
    /// [`segment`](Self::segment) to resume the run. A future that is dropped is cancelled, unless
    /// [`suspend_on_drop`](Self::suspend_on_drop) was called.
    pub fn suspend(&self, reason: impl Into<Cow<'static, str>>) -> &Self {
        if self.workflow_unit().is_some() {
            self.change_late(|late| late.outcome().suspended = Some(reason.into()));
        }
        self
    }

    /// Makes a dropped future of the workflow a suspended segment and not a cancelled run.
    ///
    /// For bodies that a durable engine executes: the engine drops the future when its process
    /// stops, and executes the body again in the same or another process. The segment ends with the
    /// reason `dropped` and is not counted; the same holds if telemetry is shut down meanwhile. A
    /// panic, an error and a completed future end the run as usual.
    ///
    /// ```
    /// #[hub_otel::instrument_workflow(run_id = id)]
    /// async fn body(id: &str) {
    ///     hub_otel::current().suspend_on_drop();
    ///     // … the steps …
    /// }
    /// ```
    pub fn suspend_on_drop(&self) -> &Self {
        if self.workflow_unit().is_some() {
            self.change_late(|late| late.outcome().suspend_on_drop = true);
        }
        self
    }

    /// Records the time that a run waited before it started: `workflow.queue.wait_time`, from
    /// `created` until now, and the attribute `workflow.queue.wait_time.ms`.
    ///
    /// Call it once per run, in its first segment. A time in the future is no wait. Has no effect
    /// outside a workflow.
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// #[hub_otel::instrument_workflow]
    /// async fn nightly(created: SystemTime) {
    ///     hub_otel::current().queued_since(created);
    /// }
    /// ```
    pub fn queued_since(&self, created: SystemTime) -> &Self {
        let Some(unit) = self.workflow_unit() else { return self };
        let (_, now) = clock::now();
        let wait = now.duration_since(created).unwrap_or_default();
        let label_set = Arc::clone(&unit.late().label_set);
        label_set.record_queue_wait(wait);
        self.record(a::WORKFLOW_QUEUE_WAIT_TIME_MS, events::whole_milliseconds(wait))
    }

    /// Returns the state that is needed to resume the workflow. `None` outside a workflow and
    /// without telemetry.
    ///
    /// ```
    /// # fn store(segment: Option<hub_otel::Segment>) {}
    /// #[hub_otel::instrument_workflow]
    /// async fn patch() {
    ///     hub_otel::current().suspend("approval");
    ///     store(hub_otel::current().segment());
    /// }
    /// ```
    pub fn segment(&self) -> Option<Segment> {
        let unit = self.workflow_unit()?;
        let mut late = unit.late();
        let workflow = unit.workflow_of(&mut late)?;
        let run_id = workflow.run_id.as_ref().map_or("", |run_id| run_id.as_str());
        let executed = unit.executed_before + unit.started.elapsed();
        let mut segment =
            Segment::new(workflow.id.as_str(), run_id, late.label_set.trigger_or_action.as_str())
                .with_elapsed(executed.saturating_sub(late.waited()));
        if let Some(account) = &unit.spending.account {
            segment.budget = Some(account.budget());
            segment.spent = Some(account.spent());
        }
        let attributes = late.run_attributes.iter().flat_map(RunAttributes::texts);
        segment.attributes = attributes
            .map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned()))
            .collect();
        segment.name = late.name.as_ref().map(|name| name.as_str().to_owned());
        segment.traceparent =
            unit.span.as_ref().and_then(|span| format_traceparent(span.context()));
        Some(segment)
    }

    /// Returns what the innermost budget around the call has spent. `None` without a budget.
    pub fn spent(&self) -> Option<Spent> {
        Some(self.account()?.spent())
    }

    /// Returns an error if the budget admits no further call of a model.
    ///
    /// For calls that other libraries make: a budget charges them at their end, and cannot refuse
    /// them. Calls that are units are refused without this check.
    ///
    /// ```
    /// # async fn next_step() -> Result<bool, std::io::Error> { Ok(true) }
    /// #[hub_otel::instrument_agent(action = "research", budget(usd = 0.5))]
    /// async fn research() -> Result<(), std::io::Error> {
    ///     loop {
    ///         hub_otel::current().check_budget()?;
    ///         if next_step().await? {
    ///             return Ok(());
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// A limit is reached.
    pub fn check_budget(&self) -> Result<(), BudgetExceeded> {
        self.account().map_or(Ok(()), |account| account.check(CallKind::Llm))
    }

    fn account(&self) -> Option<&Arc<Account>> {
        self.unit.as_ref()?.spending.account.as_ref()
    }

    /// Returns whether the unit has a span that takes attributes: whether expensive values are
    /// worth computing.
    pub fn is_recording(&self) -> bool {
        let span = self.unit.as_ref().and_then(|unit| unit.span.as_ref());
        span.is_some_and(|span| span.is_recording())
    }

    /// Returns the trace id, in hexadecimal. `None` if the unit is not sampled.
    ///
    /// ```
    /// #[hub_otel::instrument_agent(id = "planner", action = "plan")]
    /// async fn plan() {
    ///     if let Some(trace_id) = hub_otel::current().trace_id() {
    ///         println!("details: https://grafana.example/trace/{trace_id}");
    ///     }
    /// }
    /// ```
    pub fn trace_id(&self) -> Option<String> {
        let span = self.unit.as_ref()?.span.as_ref()?;
        Some(span.context().trace_id().to_string())
    }

    /// Returns the span id, in hexadecimal. `None` if the unit is not sampled.
    pub fn span_id(&self) -> Option<String> {
        let span = self.unit.as_ref()?.span.as_ref()?;
        Some(span.context().span_id().to_string())
    }

    /// Returns the run id of the workflow that the unit is, or belongs to. `None` outside a run.
    pub fn run_id(&self) -> Option<String> {
        let run_id = self.unit.as_ref()?.workflow()?.run_id?;
        Some(run_id.as_str().to_owned())
    }

    /// Begins a wait: until [`end_wait`](Self::end_wait), the unit and those around it, up to its
    /// workflow, do not execute.
    pub(crate) fn begin_wait(&self) {
        self.change_up_to_workflow(LateState::begin_wait);
    }

    /// Ends a wait.
    pub(crate) fn end_wait(&self) {
        self.change_up_to_workflow(LateState::end_wait);
    }

    fn change_up_to_workflow(&self, change: impl Fn(&mut LateState)) {
        for unit in self.unit.iter().flat_map(ActiveUnit::up_to_workflow) {
            if let Some(mut late) = unit.change_late() {
                change(&mut late);
            }
        }
    }

    fn workflow_unit(&self) -> Option<&Arc<ActiveUnit>> {
        self.unit.as_ref().filter(|unit| unit.kind == UnitKind::Workflow)
    }

    fn change_late(&self, change: impl FnOnce(&mut LateState)) -> &Self {
        if let Some(mut late) = self.unit.as_ref().and_then(|unit| unit.change_late()) {
            change(&mut late);
        }
        self
    }

    fn set_attribute(&self, attribute: KeyValue) {
        if let Some(unit) = &self.unit {
            let admitted = unit.instance.gen_ai.content.admit(attribute);
            unit.change_span(|span, limits| span.set_admitted(admitted, limits));
        }
    }

    fn change_span(&self, change: impl FnOnce(&mut UnitSpan, &RecordLimits)) {
        if let Some(unit) = &self.unit {
            unit.change_span(change);
        }
    }
}

/// Returns the unit's own value: many units share the label set of a label overflow.
fn label_value(label_set: &LabelSet, value: &str, label: &StringValue) -> StringValue {
    if label_set.overflowing { share_str(value) } else { label.clone() }
}
