//! Values of `workflow.status` and `agent.status`, and of the label `status`.

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
