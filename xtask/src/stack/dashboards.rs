//! The five dashboards.

mod agents;
mod cost;
mod query;
mod slo;
mod system;
mod workflows;

use crate::stack::dashboard::Dashboard;

/// Returns all dashboards.
#[must_use]
pub fn all() -> Vec<Dashboard> {
    vec![
        workflows::dashboard(),
        agents::dashboard(),
        system::dashboard(),
        cost::dashboard(),
        slo::dashboard(),
    ]
}
