//! Values of `workflow.approval.decision` and of the label `decision`.

/// Approved.
pub const APPROVED: &str = "APPROVED";
/// Rejected.
pub const REJECTED: &str = "REJECTED";
/// Not decided in time.
pub const EXPIRED: &str = "EXPIRED";
/// The run was cancelled while it waited for the decision.
pub const CANCELLED: &str = "CANCELLED";

/// All values.
pub const ALL: [&str; 4] = [APPROVED, REJECTED, EXPIRED, CANCELLED];
