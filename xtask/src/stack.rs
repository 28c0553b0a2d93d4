//! Recording rules, alerts and dashboards, generated from one set of definitions.

pub mod adaptive;
pub mod alert;
pub mod alerts;
pub mod all_recordings;
pub mod dashboard;
pub mod dashboards;
pub mod expression;
pub mod grafana_rules;
pub mod increments;
pub mod known_series;
pub mod liveness;
pub mod native;
pub mod recordings;
pub mod rule;
pub mod rules;
pub mod slo;

use crate::files::File;

/// All generated files in `observability/`.
#[must_use]
pub fn files() -> Vec<File> {
    let dashboards = dashboards::all();
    let alerts = alerts::all();
    let mut files: Vec<File> = dashboards.iter().map(dashboard::Dashboard::file).collect();
    files.extend(dashboards.iter().map(dashboard::Dashboard::perses_file));
    files.extend(rules::files(&alerts));
    files.push(rules::kubernetes_file(&alerts));
    files.push(grafana_rules::file(&alerts));
    files
}
