//! Telemetry of the engine: the status of its units, and facts that are recorded outside of a unit.

use crate::agents::AgentError;
use crate::clock::ago;
use crate::domain::{Approval, Decision, Run, RunStatus, Trigger, Workflow};
use crate::store::{self, Store, StoredBacklog};
use futures_util::future::BoxFuture;
use hub_otel::otel::opentelemetry::Context;
use hub_otel::otel::opentelemetry::trace::{FutureExt, TraceContextExt, TraceId};
use hub_otel::{Backlog, ErrorType, Segment, Telemetry, UnitStatus, approval};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Error type of a timeout.
pub(super) const TIMED_OUT: &str = "timeout";

/// Result of a segment that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every node succeeded.
    Success,
    /// An approval was rejected.
    Rejected,
    /// The run waits for an approval. [`suspend`] was called.
    Suspended,
    /// Another caller has ended the run and counts it, or the run was handed back. [`suspend`] was
    /// called.
    Stopped,
}

/// Failure of a run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    pub(super) kind: Cow<'static, str>,
    pub(super) message: String,
    pub(super) timed_out: bool,
}

impl Failure {
    pub(super) fn new(kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), timed_out: false }
    }

    pub(super) fn timed_out(message: String) -> Self {
        Self { kind: TIMED_OUT.into(), message, timed_out: true }
    }

    pub(super) fn expired() -> Self {
        let message = "the approval expired".to_owned();
        Self { kind: "approval_expired".into(), message, timed_out: true }
    }
}

impl ErrorType for Failure {
    fn error_type(&self) -> Cow<'static, str> {
        self.kind.clone()
    }

    fn timed_out(&self) -> bool {
        self.timed_out
    }
}

impl ErrorType for AgentError {
    fn error_type(&self) -> Cow<'static, str> {
        self.kind.into()
    }

    fn timed_out(&self) -> bool {
        self.kind == TIMED_OUT
    }
}

/// The agent exceeded the timeout of its node.
impl From<hub_otel::TimedOut> for AgentError {
    fn from(_: hub_otel::TimedOut) -> Self {
        Self::permanent(TIMED_OUT, "the agent exceeded the timeout of its node")
    }
}

/// Converts the result of a segment to the status of its unit.
pub(super) fn unit_status(result: &Result<Outcome, Failure>) -> UnitStatus {
    match result {
        Ok(Outcome::Success) => UnitStatus::Success,
        Ok(Outcome::Rejected) => UnitStatus::Rejected,
        // `suspend` overrides the status of a suspended segment.
        Ok(Outcome::Suspended | Outcome::Stopped) => UnitStatus::Cancelled,
        Err(failure) if failure.timed_out => UnitStatus::TimedOut,
        Err(_) => UnitStatus::Failed,
    }
}

/// Returns the id of the current trace, for responses and errors.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Context::current();
    let trace = context.span().span_context().trace_id();
    (trace != TraceId::INVALID).then(|| trace.to_string())
}

/// Runs a future in the current context, for use in another task.
pub(super) fn with_current_trace<F: Future>(work: F) -> impl Future<Output = F::Output> {
    work.with_current_context()
}

/// Serializes the current segment for the store.
pub(super) fn current_segment() -> Option<String> {
    hub_otel::current().segment().and_then(|segment| serde_json::to_string(&segment).ok())
}

/// Deserializes the previous segment of a run.
pub(super) fn previous_segment(run: &Run) -> Option<Segment> {
    serde_json::from_str(run.segment.as_deref()?).ok()
}

/// Marks the current segment as suspended: its end does not end the run.
pub(super) fn suspend(reason: &'static str) {
    hub_otel::current().suspend(reason);
}

/// Records the time from the trigger of a run until its first segment was started.
pub(super) fn record_queue_wait(run: &Run) {
    // Both are times of the store, whose clock can differ from that of this process.
    let waited = run.started_at.map(|started| started.since(run.created_at)).unwrap_or_default();
    hub_otel::current().queued_since(ago(waited));
}

/// Records a retry of the current agent.
pub(super) fn record_retry(error: &AgentError, pause: Duration) {
    hub_otel::current().record_retry_after(error.kind, pause);
}

/// Records the decision of an approval, and its wait time.
pub(super) fn record_decision(approval: &Approval, run: &Run) {
    let decision = match approval.decision {
        Decision::Pending => return,
        Decision::Approved => approval::Decision::Approved,
        Decision::Rejected => approval::Decision::Rejected,
        Decision::Expired => approval::Decision::Expired,
        Decision::Cancelled => approval::Decision::Cancelled,
    };
    // Both are times of the store, whose clock can differ from that of this process.
    let waited = approval.decided_at.map(|decided| decided.since(approval.requested_at));
    let requested = ago(waited.unwrap_or_default());
    approval::record(&approval.id, &last_segment(run), requested, decision);
}

/// Records the end of a run that was not ended by its segment.
pub(super) fn record_end(run: &Run) {
    let status = match run.status {
        RunStatus::Pending | RunStatus::Running | RunStatus::WaitingApproval => return,
        RunStatus::Success => UnitStatus::Success,
        RunStatus::Failed => UnitStatus::Failed,
        RunStatus::TimedOut => UnitStatus::TimedOut,
        RunStatus::Cancelled => UnitStatus::Cancelled,
        RunStatus::Rejected => UnitStatus::Rejected,
    };
    last_segment(run).record_end(status, run.error_type.as_deref());
}

/// Returns the last segment of a run. Creates one for a run that never started.
fn last_segment(run: &Run) -> Segment {
    let segment = previous_segment(run).unwrap_or_else(|| {
        Segment::new(run.workflow.as_str(), run.id.as_str(), run.trigger.as_str())
    });
    segment.with_elapsed(Duration::from_millis(run.executed_ms))
}

/// Declares a workflow, so that its counters start at zero.
pub(super) fn declare(telemetry: &Telemetry, workflow: &Workflow) {
    telemetry.declare_workflow(&workflow.name, [Trigger::Manual.as_str()]);
    for node in &workflow.nodes {
        telemetry.declare_agent(&node.agent, &node.action);
    }
}

/// Counts one kind of backlog in the store.
type CountBacklog = for<'a> fn(&'a dyn Store) -> BoxFuture<'a, store::Result<Vec<StoredBacklog>>>;

/// Observes the pending approvals, and the runs that have not started. All processes on one
/// database share them. One of them reports them, so that the sum over the processes is their
/// number.
pub(super) fn observe_backlogs(telemetry: &Telemetry, store: &Arc<dyn Store>, owner: &str) {
    telemetry.observe_approvals(reported(store, owner, |store| store.approval_backlog()));
    telemetry.observe_queue(reported(store, owner, |store| store.run_backlog()));
}

/// Returns the callback that counts a backlog.
fn reported(
    store: &Arc<dyn Store>,
    owner: &str,
    count: CountBacklog,
) -> impl Fn() -> BoxFuture<'static, Vec<Backlog>> + Send + 'static {
    // The callback can outlive the server. A weak reference avoids queries of a closed store.
    let store = Arc::downgrade(store);
    let owner: Arc<str> = owner.into();
    move || {
        let (store, owner) = (store.upgrade(), Arc::clone(&owner));
        Box::pin(async move {
            let Some(store) = store else { return Vec::new() };
            backlog(&*store, &owner, count).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot count the pending approvals or runs");
                Vec::new()
            })
        })
    }
}

/// Counts a backlog in the process with the oldest living lease. Empty in the others.
async fn backlog(
    store: &dyn Store,
    owner: &str,
    count: CountBacklog,
) -> store::Result<Vec<Backlog>> {
    // An id is a UUIDv7: the smallest one is the oldest.
    let living = store.leases().await?.into_iter().filter(|lease| !lease.expired);
    if living.map(|lease| lease.owner).min().as_deref() != Some(owner) {
        return Ok(Vec::new());
    }
    let now = store.now();
    let to_backlog = |stored: StoredBacklog| Backlog {
        workflow_id: stored.workflow,
        pending: stored.pending,
        oldest_age: now.since(stored.oldest),
    };
    Ok(count(store).await?.into_iter().map(to_backlog).collect())
}
