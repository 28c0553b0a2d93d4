//! The dashboards.

mod agents;
mod alerts;
mod cost;
mod llm;
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
        llm::dashboard(),
        slo::dashboard(),
        alerts::dashboard(),
    ]
}

/// Returns the id of the panel that shows the value of an alert.
#[must_use]
pub fn alert_panel(alert: &str) -> usize {
    alerts::panel_id(alert)
}
