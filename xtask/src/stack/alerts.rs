//! Alerts of the stack.

mod service;
mod stack;
mod workflow;

pub use service::ESCALATED;

use crate::stack::alert::Alert;

/// Returns all alerts.
#[must_use]
pub fn all() -> Vec<Alert> {
    [workflow::alerts(), service::alerts(), stack::alerts()].concat()
}
