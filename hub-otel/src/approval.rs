//! Human approvals: waiting for a decision in process, or across the restarts of a process.
//!
//! [`wait`] is for a workflow that awaits the decision. [`record`] is for a workflow that suspends
//! and is resumed after the decision.
//! The number of pending approvals and the age of the oldest one are exported: those that wait in
//! this process by [`wait`] alone, stored ones by
//! [`Telemetry::observe_approvals`](crate::Telemetry::observe_approvals).

use crate::backlog::pending::{Wait, Workflow};
use crate::instance;
use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet, overflow_label};
use crate::semconv::value::trigger;
use crate::semconv::{SCOPE, attribute as a, decision, event, kv, metric, span};
use crate::unit::identity::ParentWorkflow;
use crate::unit::segment::Segment;
use crate::unit::stack;
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::trace::FutureExt;
use opentelemetry::trace::Link;
use opentelemetry::trace::Span as _;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use tracing::Level;

/// The decision on an approval.
///
/// Exhaustive: the values of `workflow.approval.decision` are a closed list.
///
/// ```
/// use hub_otel::approval::Decision;
///
/// assert_eq!(Decision::from(true), Decision::Approved);
/// assert_eq!(Decision::Expired.as_str(), "EXPIRED");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The request was approved.
    Approved,
    /// The request was rejected.
    Rejected,
    /// No decision was made in time.
    Expired,
    /// The run was cancelled before a decision.
    Cancelled,
}

impl Decision {
    /// Returns the value in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => decision::APPROVED,
            Self::Rejected => decision::REJECTED,
            Self::Expired => decision::EXPIRED,
            Self::Cancelled => decision::CANCELLED,
        }
    }
}

impl From<bool> for Decision {
    /// Converts `true` to [`Decision::Approved`] and `false` to [`Decision::Rejected`].
    fn from(approved: bool) -> Self {
        if approved { Self::Approved } else { Self::Rejected }
    }
}

/// Waits for the decision on the approval `id`, and records it: a span, the event of the request
/// and of the decision, and `workflow.approval.wait_time`. While it waits, it is counted in
/// `workflow.approval.pending` and `workflow.approval.oldest_age`.
///
/// The span of the workflow stays open. The wait does not count as execution time of the run, also
/// if an agent or a tool waits; waits at the same time count once.
///
/// # Cancellation
/// If the future is dropped, the decision is recorded as [`Decision::Cancelled`].
///
/// ```
/// # use hub_otel::approval::{self, Decision};
/// # async fn decision_of(id: &str) -> bool { true }
/// #[hub_otel::instrument_workflow]
/// async fn patch() {
///     let decision = approval::wait("approval-1", decision_of("approval-1")).await;
///     if decision == Decision::Approved { /* … */ }
/// }
/// ```
pub async fn wait<F>(id: impl Into<String>, decision: F) -> Decision
where
    F: Future,
    F::Output: Into<Decision>,
{
    let Some(pending) = PendingApproval::start(id.into()) else { return decision.await.into() };
    let decision = decision.with_context(pending.context.clone()).await.into();
    pending.end(decision);
    decision
}

/// An approval without a decision. Dropped, it is recorded as cancelled.
struct PendingApproval {
    instance: Arc<Instance>,
    run: Option<(Arc<LabelSet>, ParentWorkflow)>,
    unit: crate::Current,
    id: String,
    context: Context,
    started: Instant,
    wait: Wait,
    ended: bool,
}

impl PendingApproval {
    fn start(id: String) -> Option<Self> {
        let instance = instance::current()?;
        let run = Context::map_current(|context| run_of(&instance, context));
        let workflow = run.as_ref().map(|(_, workflow)| workflow);
        let (started, now) = crate::unit::clock::now();
        let builder = span_builder(&id, workflow, now, Vec::new());
        #[expect(clippy::disallowed_methods, reason = "the only opener of approval spans")]
        let span =
            Context::map_current(|parent| instance.tracer.build_with_context(builder, parent));
        let context = Context::map_current(|parent| parent.with_span(span));
        emit_requested(&id, workflow);
        let unit = crate::unit::current::current();
        unit.begin_wait();
        instance.approvals.register(&instance.meter);
        let wait = instance.approvals.begin(match &run {
            Some((labels, _)) if labels.overflowing => Workflow::Overflow,
            Some((labels, _)) => Workflow::Id(labels.id.as_str().to_owned()),
            None => Workflow::None,
        });
        Some(Self { instance, run, unit, id, context, started, wait, ended: false })
    }

    fn end(mut self, decision: Decision) {
        self.finish(decision);
    }

    fn finish(&mut self, decision: Decision) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.instance.approvals.end(&self.wait);
        let wait = self.started.elapsed();
        self.unit.end_wait();
        let labels = self.run.as_ref().map(|(labels, _)| &**labels);
        let workflow = self.run.as_ref().map(|(_, workflow)| workflow);
        record_wait_time(&self.instance, labels, decision, wait);
        // The event belongs to the span of the approval.
        let _attached = self.context.clone().attach();
        emit_decided(&self.id, workflow, decision);
        let span = self.context.span();
        span.set_attribute(kv(a::WORKFLOW_APPROVAL_DECISION, decision.as_str()));
        span.end();
    }
}

impl Drop for PendingApproval {
    fn drop(&mut self) {
        self.finish(Decision::Cancelled);
    }
}

/// Records the decision on an approval whose run was suspended meanwhile, possibly in another
/// process: what [`wait`] records, for a wait from `requested_at` until now.
///
/// `segment` is the last segment of the run that waited. The span has a link to it.
///
/// ```
/// use hub_otel::approval::{self, Decision};
/// use std::time::SystemTime;
///
/// /// A pending approval, as the application stored it.
/// struct Stored {
///     id: String,
///     segment: hub_otel::Segment,
///     requested_at: SystemTime,
/// }
///
/// fn decide(stored: &Stored, approved: bool) {
///     approval::record(&stored.id, &stored.segment, stored.requested_at, approved.into());
/// }
/// ```
pub fn record(id: &str, segment: &Segment, requested_at: SystemTime, decision: Decision) {
    let Some(instance) = instance::current() else { return };
    let workflow = ParentWorkflow {
        id: segment.workflow_id().to_owned().into(),
        run_id: Some(segment.run_id().to_owned().into()),
    };
    let dimensions =
        Dimensions { id: segment.workflow_id(), trigger_or_action: segment.trigger(), extra: &[] };
    let labels = instance.units.label_set(UnitKind::Workflow, &dimensions);
    let (_, now) = crate::unit::clock::now();
    // Zero if the clock was set back meanwhile.
    let wait = now.duration_since(requested_at).unwrap_or_default();
    record_wait_time(&instance, Some(&labels), decision, wait);
    let last_segment = segment.last_span();
    let links = last_segment.map(|span| Link::new(span, Vec::new(), 0)).into_iter().collect();
    let builder = span_builder(id, Some(&workflow), now - wait, links);
    #[expect(clippy::disallowed_methods, reason = "an approval span, written after the fact")]
    let mut span =
        Context::map_current(|parent| instance.tracer.build_with_context(builder, parent));
    span.set_attribute(kv(a::WORKFLOW_APPROVAL_DECISION, decision.as_str()));
    span.end_with_timestamp(now);
    emit_decided(id, Some(&workflow), decision);
}

/// Returns the workflow that waits under `context`, and its label set.
fn run_of(instance: &Instance, context: &Context) -> Option<(Arc<LabelSet>, ParentWorkflow)> {
    let workflow = stack::parent_workflow(context)?;
    let unit = stack::active_unit(context).filter(|unit| unit.kind == UnitKind::Workflow);
    let labels = match unit {
        Some(unit) => Arc::clone(&unit.late().label_set),
        None => {
            let id = workflow.id.as_str();
            let dimensions = Dimensions { id, trigger_or_action: trigger::MANUAL, extra: &[] };
            instance.units.unlisted_workflow(&dimensions)
        }
    };
    Some((labels, workflow))
}

fn span_builder(
    id: &str,
    workflow: Option<&ParentWorkflow>,
    started: SystemTime,
    links: Vec<Link>,
) -> SpanBuilder {
    let mut attributes = vec![kv(a::WORKFLOW_APPROVAL_ID, id.to_owned())];
    if let Some(workflow) = workflow {
        attributes.extend(workflow.run_id.clone().map(|run_id| kv(a::WORKFLOW_RUN_ID, run_id)));
        attributes.push(kv(a::WORKFLOW_ID, workflow.id.clone()));
    }
    SpanBuilder::from_name(span::WORKFLOW_APPROVAL)
        .with_kind(SpanKind::Internal)
        .with_start_time(started)
        .with_attributes(attributes)
        .with_links(links)
}

fn record_wait_time(
    instance: &Instance,
    labels: Option<&LabelSet>,
    decision: Decision,
    wait: Duration,
) {
    let [workflow_id, decision_label] = [a::label::WORKFLOW_ID, a::label::DECISION];
    debug_assert_eq!(metric::WORKFLOW_APPROVAL_WAIT_TIME.labels, [workflow_id, decision_label]);
    let labels: Vec<KeyValue> = match labels {
        Some(labels) if labels.overflowing => vec![overflow_label()],
        Some(labels) => {
            vec![kv(workflow_id, labels.id.clone()), kv(decision_label, decision.as_str())]
        }
        None => vec![kv(decision_label, decision.as_str())],
    };
    instance.units.instruments.approval_wait.record(wait.as_secs_f64() * 1_000.0, &labels);
}

/// Returns the ids of workflow and run, for an event.
fn ids(workflow: Option<&ParentWorkflow>) -> (Option<&str>, Option<&str>) {
    let run_id = workflow.and_then(|workflow| workflow.run_id.as_ref());
    (workflow.map(|workflow| workflow.id.as_str()), run_id.map(StringValue::as_str))
}

fn emit_requested(id: &str, workflow: Option<&ParentWorkflow>) {
    let (workflow_id, run_id) = ids(workflow);
    tracing::event!(name: event::WORKFLOW_APPROVAL_REQUESTED, target: SCOPE, Level::INFO, {
        { a::WORKFLOW_APPROVAL_ID } = id,
        { a::WORKFLOW_ID } = workflow_id,
        { a::WORKFLOW_RUN_ID } = run_id,
    }, "{}", event::WORKFLOW_APPROVAL_REQUESTED);
}

fn emit_decided(id: &str, workflow: Option<&ParentWorkflow>, decision: Decision) {
    let (workflow_id, run_id) = ids(workflow);
    tracing::event!(name: event::WORKFLOW_APPROVAL_DECIDED, target: SCOPE, Level::INFO, {
        { a::WORKFLOW_APPROVAL_ID } = id,
        { a::WORKFLOW_APPROVAL_DECISION } = decision.as_str(),
        { a::WORKFLOW_ID } = workflow_id,
        { a::WORKFLOW_RUN_ID } = run_id,
    }, "{}", event::WORKFLOW_APPROVAL_DECIDED);
}
