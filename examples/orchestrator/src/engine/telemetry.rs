//! What the engine says to hub-otel: the outcomes of its units, and what no running unit can say.

use crate::agents::AgentError;
use crate::domain::{Approval, Run, RunStatus, Workflow};
use crate::store::Store;
use hub_otel::otel::opentelemetry::Context;
use hub_otel::otel::opentelemetry::trace::{FutureExt, TraceContextExt, TraceId};
use hub_otel::{ErrorType, Segment, Status, Telemetry};
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
pub(super) fn status(ended: &Result<Outcome, Failure>) -> Status {
    match ended {
        Ok(Outcome::Success) => Status::Success,
        Ok(Outcome::Rejected) => Status::Rejected,
        // A suspended segment has said so already, and that is stronger.
        Ok(Outcome::Cancelled | Outcome::Suspended) => Status::Cancelled,
        Err(failure) if failure.timed_out => Status::TimedOut,
        Err(_) => Status::Failed,
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
    hub_otel::current().retry_after(error.kind, pause);
}

/// An approval was decided: how long it had waited, and what came of it.
pub(super) fn approval_decided(_approval: &Approval, _run: &Run) {}

/// A run ended while nobody executed it: counted here, because no segment will.
pub(super) fn ended_without_segment(_run: &Run, _status: RunStatus, _error_type: Option<&'static str>) {}

/// Creates the counters of a workflow at zero.
pub(super) fn declare(_telemetry: &Telemetry, _workflow: &Workflow) {}

/// Lets the approvals that wait be seen.
pub(super) fn watch(_telemetry: &Telemetry, _store: Arc<dyn Store>) {}
