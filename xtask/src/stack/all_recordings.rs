//! All recording rules except those of the objectives.

use crate::stack::recordings::Recording;
use crate::stack::{adaptive, liveness, recordings};

/// Returns the rules.
#[must_use]
pub fn all() -> Vec<Recording> {
    let mut all = recordings::recordings();
    all.extend(adaptive::recordings());
    all.extend(liveness::recordings());
    all
}
