//! Alerts of the stack.

mod gen_ai;
mod service;
mod stack;
mod workflow;

pub use service::ESCALATED;

use crate::stack::alert::Alert;

/// Returns all alerts.
#[must_use]
pub fn all() -> Vec<Alert> {
    [workflow::alerts(), gen_ai::alerts(), service::alerts(), stack::alerts()].concat()
}
