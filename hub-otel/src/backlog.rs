//! Approvals without a decision and runs that have not started, by workflow.

#[cfg(feature = "sdk")]
mod observe;
pub(crate) mod pending;

#[cfg(feature = "sdk")]
pub use crate::backlog::observe::Backlog;
