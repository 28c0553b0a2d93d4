//! Reasons of dropped items: values of the label `reason` of `hub_otel.export.items`.

/// The queue reached its limit of items or bytes.
pub const QUEUE_FULL: &str = "queue_full";
/// The item finished after the shutdown began.
pub const AFTER_SHUTDOWN: &str = "after_shutdown";
/// The deadline of the shutdown passed.
pub const SHUTDOWN_DEADLINE: &str = "shutdown_deadline";
/// The Collector requested a retry delay of more than a minute.
pub const RETRY_AFTER_TOO_LONG: &str = "retry_after_too_long";
/// The Collector was unreachable from the start until the shutdown.
pub const NO_COLLECTOR: &str = "no_collector";

/// All values. Each is reported from the start with a count of zero: an alert on the increase of a
/// counter does not fire for the first value of a new series.
pub const ALL: [&str; 5] =
    [QUEUE_FULL, AFTER_SHUTDOWN, SHUTDOWN_DEADLINE, RETRY_AFTER_TOO_LONG, NO_COLLECTOR];
