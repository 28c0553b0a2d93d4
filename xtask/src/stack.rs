//! What reads the telemetry: recording rules, alerts and dashboards, from one set of definitions.

pub mod alerts;
pub mod boards;
pub mod dashboard;
pub mod expression;
pub mod known;
pub mod provisioned;
pub mod recordings;
pub mod rules;
pub mod slo;

use crate::files::File;

/// Every generated file below `observability/`.
#[must_use]
pub fn files() -> Vec<File> {
    let boards = boards::all();
    let alerts = alerts::all();
    let mut files: Vec<File> = boards.iter().map(dashboard::Dashboard::file).collect();
    files.extend(rules::files(&alerts));
    files.push(provisioned::file(&alerts, &boards));
    files
}
