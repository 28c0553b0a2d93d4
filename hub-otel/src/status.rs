//! Terminal status of a unit of work.

use crate::semconv::status as names;

/// Terminal status of a unit of work: the label `status`, the attributes `workflow.status` and
/// `agent.status`.
///
/// ```
/// assert_eq!(hub_otel::UnitStatus::TimedOut.as_str(), "TIMED_OUT");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnitStatus {
    /// Completed without a failure.
    Success,
    /// Returned an error or panicked.
    Failed,
    /// Exceeded a timeout.
    TimedOut,
    /// Was dropped before completion, or the run was cancelled.
    Cancelled,
    /// An approval was rejected.
    Rejected,
}

impl UnitStatus {
    /// Returns the value in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        names::TERMINAL[self as usize]
    }

    /// All statuses, in the order of [`TERMINAL`](names::TERMINAL).
    pub(crate) const ALL: [Self; names::TERMINAL.len()] =
        [Self::Success, Self::Failed, Self::TimedOut, Self::Cancelled, Self::Rejected];

    /// Returns whether the status counts as a failure of the service: FAILED and TIMED_OUT.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

impl std::fmt::Display for UnitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
