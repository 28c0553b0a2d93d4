//! Where a boundary records: the telemetry that it was given, else the current one.

use crate::instance::{self, Instance};
use std::fmt;
use std::sync::Arc;

/// Looked up per request, so that a layer built before `install` works after it.
#[derive(Clone, Default)]
pub(crate) struct Target(Option<Arc<Instance>>);

impl Target {
    /// The instance to record into, if there is one.
    pub(crate) fn resolve(&self) -> Option<Arc<Instance>> {
        if !cfg!(feature = "enabled") {
            return None;
        }
        self.0.clone().or_else(|| instance::current())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Target(given)" } else { "Target(current)" })
    }
}
