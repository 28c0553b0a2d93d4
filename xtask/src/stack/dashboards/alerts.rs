//! Dashboard Alerts: the expression of each alert with its threshold.

use crate::stack::alert::{Alert, Comparison, DASHBOARD};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED};
use crate::stack::expression::filtered;
use crate::stack::{adaptive, alerts, known_series};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: DASHBOARD,
        title: "Alerts",
        description: "The value of each alert and the threshold from which it fires.",
        from: "now-3h",
        variables: &["service", "environment", "cluster", "workflow", "agent"],
        panels: panels(),
    }
}

/// Returns one panel per alert. Each group of alerts is a section.
fn panels() -> Vec<Panel> {
    let mut all = alerts::all();
    all.sort_by_key(|alert| SECTIONS.iter().position(|(group, _)| *group == alert.group));
    let mut section = "";
    let titled = |alert: &Alert| {
        let (group, title) = SECTIONS.iter().find(|(group, _)| *group == alert.group)?;
        (std::mem::replace(&mut section, group) != *group).then_some(*title)
    };
    let titles: Vec<Option<&str>> = all.iter().map(titled).collect();
    let panels = all.iter().zip(titles).map(|(alert, title)| match title {
        Some(title) => panel(alert).begins(title),
        None => panel(alert),
    });
    panels.collect()
}

/// Groups of alerts and the titles of their sections.
const SECTIONS: [(&str, &str); 6] = [
    ("workflow_alerts", "Workflows and agents"),
    (adaptive::GROUP, "Workflows, agents and routes that fail"),
    ("slo_alerts", "Objectives"),
    ("gen_ai_alerts", "Models"),
    ("system_alerts", "Services"),
    ("stack_alerts", "Stack"),
];

/// Returns the id of the panel of an alert. It depends on the name only, so that links in old
/// messages stay valid when alerts are added.
pub(super) fn panel_id(alert: &str) -> usize {
    1 + alert.bytes().fold(0, |hash: usize, byte| (hash * 31 + usize::from(byte)) % 99_991)
}

fn panel(alert: &Alert) -> Panel {
    let query = if alert.filter {
        let filters = [
            ("service_name", "$service"),
            ("deployment_environment_name", "$environment"),
            ("cluster", "$cluster"),
            ("workflow_id", "$workflow"),
            ("agent_id", "$agent"),
        ];
        filtered(&alert.query, &filters, &known_series::all())
    } else {
        alert.query.clone()
    };
    let threshold = alert.threshold.unwrap_or_default();
    let (below, steps) = match alert.comparison {
        Comparison::Above => (GREEN, (RED, threshold)),
        Comparison::Below => (RED, (GREEN, threshold)),
    };
    Panel::lines(alert.name, alert.unit)
        .identified(panel_id(alert.name))
        .about(alert.description)
        .query(Mode::Range, query, "__auto")
        .steps(below, &[steps])
        .from_zero()
        .without_data("no data: the alert does not fire")
}
