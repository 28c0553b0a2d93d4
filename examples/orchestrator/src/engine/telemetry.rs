//! What the engine says to hub-otel: the outcomes of its units, and what no running unit can say.

use crate::agents::AgentError;
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Run, RunStatus, Trigger, Workflow};
use crate::store::{Store, Waiting};
use hub_otel::otel::opentelemetry::Context;
use hub_otel::otel::opentelemetry::trace::{FutureExt, TraceContextExt, TraceId};
use hub_otel::{ErrorType, Segment, Telemetry, UnitStatus, approval};
use std::sync::Arc;
use std::time::Duration;

/// The kind of an error that means a deadline has passed.
pub(super) const TIMED_OUT: &str = "timeout";

/// How a segment ends, when it does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every node succeeded.
    Success,
    /// An approval said no.
    Rejected,
    /// Somebody cancelled it.
    Cancelled,
    /// It goes on later: [`suspended`] has said so.
    Suspended,
}

/// Why a run failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) timed_out: bool,
}

impl Failure {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), timed_out: false }
    }

    pub(super) fn timed_out(message: String) -> Self {
        Self { kind: TIMED_OUT, message, timed_out: true }
    }

    pub(super) fn expired() -> Self {
        let message = "nobody answered the approval in time".to_owned();
        Self { kind: "approval_expired", message, timed_out: true }
    }
}

impl ErrorType for Failure {
    fn error_type(&self) -> &'static str {
        self.kind
    }

    fn timed_out(&self) -> bool {
        self.timed_out
    }
}

impl ErrorType for AgentError {
    fn error_type(&self) -> &'static str {
        self.kind
    }

    fn timed_out(&self) -> bool {
        self.kind == TIMED_OUT
    }
}

/// The node's deadline passed while the agent was busy.
impl From<hub_otel::TimedOut> for AgentError {
    fn from(_: hub_otel::TimedOut) -> Self {
        Self::permanent(TIMED_OUT, "the agent took longer than its node allows")
    }
}

/// What a segment's value says of the run.
pub(super) fn status(ended: &Result<Outcome, Failure>) -> UnitStatus {
    match ended {
        Ok(Outcome::Success) => UnitStatus::Success,
        Ok(Outcome::Rejected) => UnitStatus::Rejected,
        // A suspended segment has said so already, and that is stronger.
        Ok(Outcome::Cancelled | Outcome::Suspended) => UnitStatus::Cancelled,
        Err(failure) if failure.timed_out => UnitStatus::TimedOut,
        Err(_) => UnitStatus::Failed,
    }
}

/// The current trace, for people who hold an answer or an error in their hand.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Context::current();
    let trace = context.span().span_context().trace_id();
    (trace != TraceId::INVALID).then(|| trace.to_string())
}

/// Goes on below what is current now, in whatever task.
pub(super) fn in_this_trace<F: Future>(work: F) -> impl Future<Output = F::Output> {
    work.with_current_context()
}

/// The segment that runs, as the store keeps it.
pub(super) fn segment() -> Option<String> {
    hub_otel::current().segment().and_then(|segment| serde_json::to_string(&segment).ok())
}

/// The segment that the run goes on from.
pub(super) fn resumed(run: &Run) -> Option<Segment> {
    serde_json::from_str(run.segment.as_deref()?).ok()
}

/// The segment ends here and the run goes on later.
pub(super) fn suspended(reason: &'static str) -> Outcome {
    hub_otel::current().suspend(reason);
    Outcome::Suspended
}

pub(super) fn retried(error: &AgentError, pause: Duration) {
    hub_otel::current().record_retry_after(error.kind, pause);
}

/// An approval was decided: how long it had waited, and what came of it.
pub(super) fn approval_decided(approval: &Approval, run: &Run) {
    let decision = match approval.decision {
        Decision::Pending => return,
        Decision::Approved => approval::Decision::Approved,
        Decision::Rejected => approval::Decision::Rejected,
        Decision::Expired => approval::Decision::Expired,
        Decision::Cancelled => approval::Decision::Cancelled,
    };
    approval::record(
        &approval.id,
        &last_segment(run),
        approval.requested_at.system_time(),
        decision,
    );
}

/// A run ended while nobody executed it: counted here, because no segment will.
pub(super) fn ended_without_segment(
    run: &Run,
    status: RunStatus,
    error_type: Option<&'static str>,
) {
    let status = match status {
        RunStatus::Pending | RunStatus::Running | RunStatus::WaitingApproval => return,
        RunStatus::Success => UnitStatus::Success,
        RunStatus::Failed => UnitStatus::Failed,
        RunStatus::TimedOut => UnitStatus::TimedOut,
        RunStatus::Cancelled => UnitStatus::Cancelled,
        RunStatus::Rejected => UnitStatus::Rejected,
    };
    last_segment(run).record_end(status, error_type);
}

/// The run's last segment; a run that was never taken up has none, and is counted all the same.
fn last_segment(run: &Run) -> Segment {
    resumed(run).unwrap_or_else(|| Segment {
        workflow_id: run.workflow.clone(),
        name: None,
        trigger: run.trigger.as_str().to_owned(),
        run_id: run.id.clone(),
        traceparent: None,
        elapsed_ms: run.executed_ms,
    })
}

/// Creates the counters of a workflow at zero.
pub(super) fn declare(telemetry: &Telemetry, workflow: &Workflow) {
    telemetry.declare_workflow(&workflow.name, [Trigger::Manual.as_str()]);
    for node in &workflow.nodes {
        telemetry.declare_agent(&node.agent, &node.action);
    }
}

/// Lets the approvals that wait be seen.
pub(super) fn watch(telemetry: &Telemetry, store: &Arc<dyn Store>) {
    // The watch outlives the server by a moment: it must not ask a store that is closed.
    let store = Arc::downgrade(store);
    telemetry.observe_approvals(move || {
        let store = store.upgrade();
        async move {
            let Some(store) = store else { return Vec::new() };
            let now = Timestamp::now();
            let backlog = store.backlog().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the approvals cannot be counted");
                Vec::new()
            });
            let workflow = |waiting: Waiting| approval::Backlog {
                workflow_id: waiting.workflow,
                pending: waiting.pending,
                oldest_age: now.since(waiting.oldest),
            };
            backlog.into_iter().map(workflow).collect()
        }
    });
}
