//! What the engine says to hub-otel: the outcomes of its units, and what no running unit can say.

use crate::agents::AgentError;
use crate::domain::{Approval, Run, RunStatus};
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

/// The current trace, for people who hold an answer or an error in their hand.
#[must_use]
pub fn trace_id() -> Option<String> {
    None
}

pub(super) fn segment() -> Option<String> {
    None
}

pub(super) fn suspended(_reason: &'static str) -> Outcome {
    Outcome::Suspended
}

pub(super) fn retried(_error: &AgentError, _pause: Duration) {}

pub(super) fn approval_decided(_approval: &Approval) {}

pub(super) fn ended_without_segment(_run: &Run, _status: RunStatus, _error_type: Option<&'static str>) {}

pub(super) async fn in_this_trace<F: Future>(work: F) -> F::Output {
    work.await
}

pub(super) fn declare(_telemetry: &hub_otel::Telemetry, _workflow: &crate::domain::Workflow) {}

pub(super) fn watch(_telemetry: &hub_otel::Telemetry, _store: std::sync::Arc<dyn crate::store::Store>) {}
