//! The closed sets of status, decision and result values.

/// The unit did what it was asked to do.
pub const SUCCESS: &str = "SUCCESS";
/// It ended with an error or a panic.
pub const FAILED: &str = "FAILED";
/// It ran out of time.
pub const TIMED_OUT: &str = "TIMED_OUT";
/// It was dropped before it finished, or the run was cancelled.
pub const CANCELLED: &str = "CANCELLED";
/// An approval said no.
pub const REJECTED: &str = "REJECTED";
/// The segment ended, the run goes on later. Never a label.
pub const SUSPENDED: &str = "SUSPENDED";

/// The terminal states: what the label `status` may say.
pub const TERMINAL: [&str; 5] = [SUCCESS, FAILED, TIMED_OUT, CANCELLED, REJECTED];
/// The states that declared counters create at zero.
pub const DECLARED: [&str; 3] = [SUCCESS, FAILED, TIMED_OUT];

/// Approved.
pub const DECISION_APPROVED: &str = "APPROVED";
/// Turned down.
pub const DECISION_REJECTED: &str = "REJECTED";
/// Nobody decided in time.
pub const DECISION_EXPIRED: &str = "EXPIRED";
/// The run was cancelled while it waited.
pub const DECISION_CANCELLED: &str = "CANCELLED";
/// What the label `decision` may say.
pub const DECISIONS: [&str; 4] =
    [DECISION_APPROVED, DECISION_REJECTED, DECISION_EXPIRED, DECISION_CANCELLED];

/// `error.type` of a unit that panicked.
pub const ERROR_TYPE_PANIC: &str = "panic";
/// `error.type` of a unit whose deadline passed.
pub const ERROR_TYPE_TIMEOUT: &str = "timeout";
/// `error.type` where the error's type says nothing (semantic conventions, `error.type`).
pub const ERROR_TYPE_OTHER: &str = "_OTHER";
/// The trigger of a workflow that names none.
pub const TRIGGER_MANUAL: &str = "manual";
