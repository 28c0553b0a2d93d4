//! Handle to the unit in progress, for facts that are only known while it runs.

use crate::instance;
use crate::metrics::{Dimensions, LabelSet};
use crate::semconv::{attribute as a, event, kv};
use crate::shared_str::share_str;
use crate::unit::attribute_value::AttributeValue;
use crate::unit::segment::{Segment, format_traceparent};
use crate::unit::span::OpenSpan;
use crate::unit::state::{ActiveUnit, LateState};
use crate::unit::{events, stack};
use crate::unit_kind::UnitKind;
use opentelemetry::trace::Span as _;
use opentelemetry::{Key, KeyValue, StringValue};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

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
            let attribute = kv(Key::from(key.into()), value);
            self.change_span(|open| open.sdk.set_attribute(attribute));
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
            let attributes = attributes
                .into_iter()
                .filter_map(|(key, value)| Some(kv(Key::from(key.into()), value.to_otel()?)))
                .collect();
            let name = name.into();
            self.change_span(|open| open.sdk.add_event(name, attributes));
        }
        self
    }

    /// Records an attempt that failed for `reason`, a stable word, and is retried: counts in
    /// `agent.retry.count`.
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
        self.change_span(|open| {
            let mut attributes: Vec<KeyValue> =
                vec![kv(a::AGENT_RETRY_ATTEMPT, attempt), kv(a::AGENT_RETRY_REASON, reason)];
            attributes.extend(delay_ms.map(|delay| kv(a::AGENT_RETRY_DELAY_MS, delay)));
            open.sdk.add_event(event::AGENT_RETRY, attributes);
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
        self.change_span(|open| {
            open.sdk.set_attributes([
                kv(a::WORKFLOW_ID, id),
                kv(a::WORKFLOW_NAME, name),
                kv(a::WORKFLOW_TRIGGER, trigger),
            ]);
        });
        self
    }

    /// Ends the unit FAILED with this error type, a stable word. Overrides its result.
    pub fn set_failed(&self, error_type: impl Into<Cow<'static, str>>) -> &Self {
        self.change_late(|late| late.failed = Some(error_type.into()))
    }

    /// Ends the unit TIMED_OUT. Overrides its result.
    pub fn set_timed_out(&self) -> &Self {
        self.change_late(|late| late.timed_out = true)
    }

    /// Marks the current segment of a workflow as suspended.
    ///
    /// The status is applied when the future completes and overrides its result, except for a
    /// failure or timeout that was set. A suspended segment is not counted. Store the
    /// [`segment`](Self::segment) to resume the run.
    pub fn suspend(&self, reason: impl Into<Cow<'static, str>>) -> &Self {
        if self.workflow_unit().is_some() {
            self.change_late(|late| late.suspended = Some(reason.into()));
        }
        self
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
                .with_elapsed(executed.saturating_sub(late.waited));
        segment.name = late.name.as_ref().map(|name| name.as_str().to_owned());
        segment.traceparent =
            unit.span.as_ref().and_then(|span| format_traceparent(span.context()));
        Some(segment)
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

    /// Subtracts a wait from the time that the run has executed.
    pub(crate) fn add_wait(&self, wait: Duration) {
        self.change_late(|late| late.waited += wait);
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

    fn change_span(&self, change: impl FnOnce(&mut OpenSpan)) {
        if let Some(span) = self.unit.as_ref().and_then(|unit| unit.span.as_ref()) {
            span.change(change);
        }
    }
}

/// Returns the unit's own value: many units share the label set of a label overflow.
fn label_value(label_set: &LabelSet, value: &str, label: &StringValue) -> StringValue {
    if label_set.overflowing { share_str(value) } else { label.clone() }
}
