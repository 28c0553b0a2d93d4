//! Dashboards in Grafana's classic JSON format, limited to the features in use.

mod kind;
mod link;
mod panel;
mod perses;
mod target;

pub use panel::{GREEN, Panel, RED, YELLOW};
pub use target::{Mode, Target};

use crate::files::File;
use serde_json::{Value, json};
use target::source;

/// A dashboard.
#[derive(Debug, Clone)]
pub struct Dashboard {
    /// Uid, used by links.
    pub uid: &'static str,
    /// Title.
    pub title: &'static str,
    /// Description.
    pub description: &'static str,
    /// Start of the initial time range.
    pub from: &'static str,
    /// Variables that the panels use. The other variables are hidden but kept in links.
    pub variables: &'static [&'static str],
    /// Panels, in reading order.
    pub panels: Vec<Panel>,
}

/// Ids of sections. Panels have lower ones.
const FIRST_SECTION: usize = 100_000;

/// Variables of every dashboard: name, label and the query of the values.
pub const VARIABLES: [(&str, &str, &str); 6] = [
    ("cluster", "Cluster", "label_values(process_uptime_seconds, cluster)"),
    (
        "environment",
        "Environment",
        "label_values(process_uptime_seconds, deployment_environment_name)",
    ),
    ("service", "Service", "label_values(process_uptime_seconds, service_name)"),
    (
        "workflow",
        "Workflow",
        "label_values(workflow_runs_total{service_name=~\"$service\"}, workflow_id)",
    ),
    ("agent", "Agent", "label_values(agent_runs_total{service_name=~\"$service\"}, agent_id)"),
    (
        "instance",
        "Instance",
        "label_values(process_uptime_seconds{service_name=~\"$service\"}, instance)",
    ),
];

impl Dashboard {
    /// Returns the id of the panel with a title.
    #[must_use]
    pub fn panel_id(&self, title: &str) -> Option<usize> {
        self.panels.iter().position(|panel| panel.title == title).map(|index| index + 1)
    }

    /// Returns the generated file.
    #[must_use]
    pub fn file(&self) -> File {
        let content = serde_json::to_string_pretty(&self.json()).unwrap_or_default();
        File::new(format!("observability/grafana/dashboards/{}.json", self.uid), content + "\n")
    }

    fn json(&self) -> Value {
        let mut variables: Vec<Value> =
            VARIABLES.iter().map(|variable| self.variable(*variable)).collect();
        if self.variables.contains(&"cost_per_minute") {
            variables.push(json!({
                "name": "cost_per_minute",
                "label": "Cost per minute",
                "description": "Cost of one minute of execution. At 0 the panels show minutes.",
                "type": "textbox",
                "query": "0",
                "current": {"text": "0", "value": "0"},
                "options": [{"selected": true, "text": "0", "value": "0"}],
            }));
        }
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["commandcenter"],
            "timezone": "browser",
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": 39,
            // By the time range: 10 s for an hour, a minute and more for a day.
            "refresh": "auto",
            "time": {"from": self.from, "to": "now"},
            "timepicker": {},
            "templating": {"list": variables},
            "annotations": {"list": [deployments(), starts(), {
                "builtIn": 1,
                "datasource": {"type": "grafana", "uid": "-- Grafana --"},
                "enable": true,
                "hide": true,
                "iconColor": "rgba(0, 211, 255, 1)",
                "name": "Annotations & Alerts",
                "type": "dashboard",
            }]},
            "links": [{
                "title": "CommandCenter",
                "type": "dashboards",
                "tags": ["commandcenter"],
                "asDropdown": true,
                "includeVars": true,
                "keepTime": true,
                "icon": "external link",
                "targetBlank": false,
                "tooltip": "",
                "url": "",
            }],
            "panels": self.placed(),
            "id": null,
            "version": 1,
            "fiscalYearStartMonth": 0,
            "liveNow": false,
        })
    }

    fn variable(&self, (name, label, query): (&str, &str, &str)) -> Value {
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": source(),
            "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "definition": query,
            "refresh": 2,
            "includeAll": true,
            "allValue": ".*",
            "multi": true,
            "sort": 1,
            "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
            "options": [],
            "regex": "",
            // Variables without effect are hidden, not omitted, so that links keep their values.
            "hide": if self.variables.contains(&name) { 0 } else { 2 },
        })
    }

    /// Places the panels from left to right. A section, and a panel that does not fit, start a new
    /// row.
    fn placed(&self) -> Vec<Value> {
        let (mut x, mut y, mut row) = (0, 0, 0);
        let mut placed = Vec::new();
        for (index, panel) in self.panels.iter().enumerate() {
            let (width, height) = panel.size;
            if panel.section.is_some() || x + width > 24 {
                (x, y, row) = (0, y + row, 0);
            }
            if let Some(title) = panel.section {
                placed.push(json!({
                    "id": FIRST_SECTION + index,
                    "type": "row",
                    "title": title,
                    "collapsed": false,
                    "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
                    "panels": [],
                }));
                y += 1;
            }
            placed.push(panel.json(index + 1, (x, y)));
            x += width;
            row = row.max(height);
        }
        placed
    }
}

/// Returns the annotation that marks a version that was not there in the day before.
fn deployments() -> Value {
    let versions = "count by (service_name, service_version)";
    json!({
        "datasource": source(),
        "enable": true,
        "iconColor": "blue",
        "name": "Deployments",
        "expr": format!("{versions} (target_info{{service_name=~\"$service\", service_version!=\"\"}}) unless {versions} (last_over_time(target_info[1d] offset 1m))"),
        "step": "30s",
        "titleFormat": "{{service_name}} {{service_version}}",
        "textFormat": "first sample of this version",
    })
}

/// Returns the annotation that marks the start of a process: a deployment or a crash.
fn starts() -> Value {
    json!({
        "datasource": source(),
        "enable": true,
        "iconColor": "purple",
        "name": "Starts of the service",
        "expr": "min_over_time(process_uptime_seconds{service_name=~\"$service\"}[$__rate_interval]) < $__rate_interval",
        "step": "30s",
        "titleFormat": "{{service_name}} started",
        "textFormat": "{{instance}}",
    })
}
