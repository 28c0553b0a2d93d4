//! Values of the label `result` of `hub_otel.export.items`.

/// Accepted by the Collector.
pub const OK: &str = "ok";
/// Rejected by the Collector in a partial success.
pub const REJECTED: &str = "rejected";
/// Sent without success, and not to be retried. The label `reason` has a value of
/// [`failure_reason`](super::failure_reason).
pub const FAILED: &str = "failed";
/// Dropped by this process. The label `reason` has a value of [`drop_reason`](super::drop_reason).
pub const DROPPED: &str = "dropped";

/// All values.
pub const ALL: [&str; 4] = [OK, REJECTED, FAILED, DROPPED];
