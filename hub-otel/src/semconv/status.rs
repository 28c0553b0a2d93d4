//! Closed sets of status and decision values, and of `error.type` values of units.

/// The unit succeeded.
pub const SUCCESS: &str = "SUCCESS";
/// The unit ended with an error or a panic.
pub const FAILED: &str = "FAILED";
/// The unit exceeded its timeout.
pub const TIMED_OUT: &str = "TIMED_OUT";
/// The unit was dropped before it completed, or the run was cancelled.
pub const CANCELLED: &str = "CANCELLED";
/// An approval was rejected.
pub const REJECTED: &str = "REJECTED";
/// The segment ended and the run continues in a later segment. Never a label value.
pub const SUSPENDED: &str = "SUSPENDED";

/// Terminal states: the values of the label `status`.
pub const TERMINAL: [&str; 5] = [SUCCESS, FAILED, TIMED_OUT, CANCELLED, REJECTED];
/// States for which a declared unit creates its counters with the value zero.
pub const DECLARED: [&str; 3] = [SUCCESS, FAILED, TIMED_OUT];

/// Approved.
pub const DECISION_APPROVED: &str = "APPROVED";
/// Rejected.
pub const DECISION_REJECTED: &str = "REJECTED";
/// Not decided in time.
pub const DECISION_EXPIRED: &str = "EXPIRED";
/// The run was cancelled while it waited for the decision.
pub const DECISION_CANCELLED: &str = "CANCELLED";
/// Values of the label `decision`.
pub const DECISIONS: [&str; 4] =
    [DECISION_APPROVED, DECISION_REJECTED, DECISION_EXPIRED, DECISION_CANCELLED];

/// `error.type` of a unit that panicked.
pub const ERROR_TYPE_PANIC: &str = "panic";
/// `error.type` of a unit that exceeded its timeout.
pub const ERROR_TYPE_TIMEOUT: &str = "timeout";
/// `error.type` of an error whose type is not classified (semantic conventions, `error.type`).
pub const ERROR_TYPE_OTHER: &str = "_OTHER";
/// Default trigger of a workflow.
pub const TRIGGER_MANUAL: &str = "manual";
