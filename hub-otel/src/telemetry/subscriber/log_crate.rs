//! Records of the `log` crate as events of the `tracing` subscriber.

use std::sync::atomic::{AtomicBool, Ordering};
use tracing::level_filters::LevelFilter;
use tracing_log::{AsLog, LogTracer, log};

/// Sets the logger of the `log` crate, unless the application set one. `level` is its maximum.
///
/// A later call changes the maximum of the logger that an earlier one set.
pub(super) fn forward(level: LevelFilter) {
    static IS_OURS: AtomicBool = AtomicBool::new(false);
    if IS_OURS.load(Ordering::SeqCst) {
        log::set_max_level(level.as_log());
    } else if LogTracer::builder().with_max_level(level.as_log()).init().is_ok() {
        IS_OURS.store(true, Ordering::SeqCst);
    }
}
