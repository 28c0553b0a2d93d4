//! How a unit of work ended, and what a person decided.

use crate::semconv::status as names;

/// How a unit of work ended: the label `status`, the attributes workflow.status and agent.status.
///
/// ```
/// assert_eq!(hub_otel::UnitStatus::TimedOut.as_str(), "TIMED_OUT");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnitStatus {
    /// It did what it was asked to do.
    Success,
    /// It ended with an error or a panic.
    Failed,
    /// It ran out of time.
    TimedOut,
    /// It was dropped before it finished, or the run was cancelled.
    Cancelled,
    /// An approval said no.
    Rejected,
}

impl UnitStatus {
    /// The value as it stands in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        names::TERMINAL[self as usize]
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        const ALL: [UnitStatus; 5] = [
            UnitStatus::Success,
            UnitStatus::Failed,
            UnitStatus::TimedOut,
            UnitStatus::Cancelled,
            UnitStatus::Rejected,
        ];
        ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether it counts against the service: FAILED and TIMED_OUT.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

impl std::fmt::Display for UnitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
