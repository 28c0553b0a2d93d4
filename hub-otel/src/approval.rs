//! Waiting for a person: in process, or across the life of one.

mod backlog;

pub use crate::approval::backlog::Backlog;

use crate::instance;
use crate::instance::Instance;
use crate::metrics::{Dimensions, LabelSet, overflow_label};
use crate::semconv::{attribute as a, event, kv, metric, span, status};
use crate::unit::lookup as running;
use crate::unit::segment::Segment;
use crate::unit::state::Enclosing;
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

/// The decision of an approval.
///
/// Exhaustive: the values of `workflow.approval.decision` are a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The run was cancelled while it waited.
    Cancelled,
}

impl Decision {
    /// The value as it stands in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => status::DECISION_APPROVED,
            Self::Rejected => status::DECISION_REJECTED,
            Self::Expired => status::DECISION_EXPIRED,
            Self::Cancelled => status::DECISION_CANCELLED,
        }
    }
}

impl From<bool> for Decision {
    /// `true`: approved.
    fn from(approved: bool) -> Self {
        if approved { Self::Approved } else { Self::Rejected }
    }
}

/// Waits in process for the decision of approval `id`. The workflow's span stays open; the wait does not count as time
/// that the run has executed.
///
/// # Cancellation
/// A wait that is dropped is recorded as [`Decision::Cancelled`].
///
/// ```
/// # use hub_otel::approval::{self, Decision};
/// # async fn ask_somebody() -> bool { true }
/// #[hub_otel::instrument_workflow]
/// async fn patch() {
///     if approval::wait("approval-1", ask_somebody()).await == Decision::Approved { /* … */ }
/// }
/// ```
pub async fn wait<F>(id: impl Into<String>, decision: F) -> Decision
where
    F: Future,
    F::Output: Into<Decision>,
{
    let waiting = Waiting::begin(id.into());
    let decision = match &waiting {
        Some(waiting) => decision.with_context(waiting.context.clone()).await.into(),
        None => decision.await.into(),
    };
    if let Some(waiting) = waiting {
        waiting.end(decision);
    }
    decision
}

/// An approval that is waited for. Dropped without a decision, it was cancelled.
struct Waiting {
    instance: Arc<Instance>,
    run: Option<(Arc<LabelSet>, Arc<Enclosing>)>,
    unit: crate::Current,
    id: String,
    context: Context,
    began: Instant,
    ended: bool,
}

impl Waiting {
    fn begin(id: String) -> Option<Self> {
        let instance = instance::current()?;
        let run = Context::map_current(|context| run_of(&instance, context));
        let (began, now) = crate::unit::finish::now();
        let builder = builder(&id, run.as_ref().map(|(_, run)| &**run), now, Vec::new());
        #[expect(clippy::disallowed_methods, reason = "a span of the contract")]
        let span =
            Context::map_current(|parent| instance.tracer.build_with_context(builder, parent));
        let context = Context::map_current(|parent| parent.with_span(span));
        requested(&id, run.as_ref().map(|(_, run)| &**run));
        Some(Self {
            instance,
            run,
            unit: crate::unit::current::current(),
            id,
            context,
            began,
            ended: false,
        })
    }

    fn end(mut self, decision: Decision) {
        self.finish(decision);
    }

    fn finish(&mut self, decision: Decision) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let wait = self.began.elapsed();
        self.unit.waited(wait);
        let (set, run) =
            self.run.as_ref().map_or((None, None), |(set, run)| (Some(&**set), Some(&**run)));
        observe(&self.instance, set, decision, wait);
        let _attached = self.context.clone().attach();
        decided(&self.id, run, decision);
        let span = self.context.span();
        span.set_attribute(kv(a::WORKFLOW_APPROVAL_DECISION, decision.as_str()));
        span.end();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.finish(Decision::Cancelled);
    }
}

/// Records an approval that outlived the process that asked for it: requested at `requested`, decided now, for the run
/// that `segment` belongs to.
pub fn record(id: &str, segment: &Segment, requested_at: SystemTime, decision: Decision) {
    let Some(instance) = instance::current() else { return };
    let run = Enclosing {
        id: segment.workflow_id.clone().into(),
        run_id: Some(segment.run_id.clone().into()),
    };
    let dimensions =
        Dimensions { id: &segment.workflow_id, trigger_or_action: &segment.trigger, extra: &[] };
    let set = instance.units.label_set(UnitKind::Workflow, &dimensions);
    let (_, now) = crate::unit::finish::now();
    // A clock that was set back is no wait.
    let wait = now.duration_since(requested_at).unwrap_or_default();
    observe(&instance, Some(&set), decision, wait);
    let links =
        segment.span_context().map(|last| Link::new(last, Vec::new(), 0)).into_iter().collect();
    let builder = builder(id, Some(&run), now - wait, links);
    #[expect(clippy::disallowed_methods, reason = "a span of the contract, written after the fact")]
    let mut span =
        Context::map_current(|parent| instance.tracer.build_with_context(builder, parent));
    span.set_attribute(kv(a::WORKFLOW_APPROVAL_DECISION, decision.as_str()));
    span.end_with_timestamp(now);
    decided(id, Some(&run), decision);
}

/// The run that waits under `context`, and where its numbers go.
fn run_of(instance: &Instance, context: &Context) -> Option<(Arc<LabelSet>, Arc<Enclosing>)> {
    let run = running::enclosing(context)?;
    let own = running::unit(context).filter(|(unit, _)| unit.kind == UnitKind::Workflow);
    let set = match own {
        Some((unit, _)) => Arc::clone(&unit.late().set),
        None => {
            let dimensions = Dimensions {
                id: run.id.as_str(),
                trigger_or_action: status::TRIGGER_MANUAL,
                extra: &[],
            };
            instance.units.undeclared_workflow(&dimensions)
        }
    };
    Some((set, run))
}

fn builder(id: &str, run: Option<&Enclosing>, began: SystemTime, links: Vec<Link>) -> SpanBuilder {
    let mut attributes = vec![kv(a::WORKFLOW_APPROVAL_ID, id.to_owned())];
    if let Some(run) = run {
        attributes.extend(run.run_id.clone().map(|run_id| kv(a::WORKFLOW_RUN_ID, run_id)));
        attributes.push(kv(a::WORKFLOW_ID, run.id.clone()));
    }
    SpanBuilder::from_name(span::WORKFLOW_APPROVAL)
        .with_kind(SpanKind::Internal)
        .with_start_time(began)
        .with_attributes(attributes)
        .with_links(links)
}

fn observe(instance: &Instance, set: Option<&LabelSet>, decision: Decision, wait: Duration) {
    let [workflow_id, label] = [a::label::WORKFLOW_ID, a::label::DECISION];
    debug_assert_eq!(metric::WORKFLOW_APPROVAL_WAIT_TIME.labels, [workflow_id, label]);
    let labels: Vec<KeyValue> = match set {
        Some(set) if set.overflowing => vec![overflow_label()],
        Some(set) => vec![kv(workflow_id, set.id.clone()), kv(label, decision.as_str())],
        None => vec![kv(label, decision.as_str())],
    };
    instance.units.instruments.approval_wait.record(wait.as_secs_f64() * 1_000.0, &labels);
}

fn texts(run: Option<&Enclosing>) -> (Option<&str>, Option<&str>) {
    let id = run.map(|run| run.id.as_str());
    (id, run.and_then(|run| run.run_id.as_ref()).map(StringValue::as_str))
}

fn requested(id: &str, run: Option<&Enclosing>) {
    let (workflow_id, run_id) = texts(run);
    tracing::event!(name: event::WORKFLOW_APPROVAL_REQUESTED, target: crate::semconv::SCOPE, tracing::Level::INFO, {
        { a::WORKFLOW_APPROVAL_ID } = id,
        { a::WORKFLOW_ID } = workflow_id,
        { a::WORKFLOW_RUN_ID } = run_id,
    }, "{}", event::WORKFLOW_APPROVAL_REQUESTED);
}

fn decided(id: &str, run: Option<&Enclosing>, decision: Decision) {
    let (workflow_id, run_id) = texts(run);
    tracing::event!(name: event::WORKFLOW_APPROVAL_DECIDED, target: crate::semconv::SCOPE, tracing::Level::INFO, {
        { a::WORKFLOW_APPROVAL_ID } = id,
        { a::WORKFLOW_APPROVAL_DECISION } = decision.as_str(),
        { a::WORKFLOW_ID } = workflow_id,
        { a::WORKFLOW_RUN_ID } = run_id,
    }, "{}", event::WORKFLOW_APPROVAL_DECIDED);
}
