//! Provisioned alert rules of Grafana, from the same definitions as the Prometheus rules.
//!
//! A rule is an instant query of the value and a threshold expression. A comparison inside the
//! query would return no data while the alert does not fire.

use crate::files::File;
use crate::stack::alert::{Alert, Comparison};
use crate::stack::dashboard::Dashboard;
use crate::stack::rules::yaml;
use serde_json::{Value, json};

/// Path of the rule file in the repository.
pub const PATH: &str = "observability/grafana/provisioning/alerting/rules.yaml";

/// Returns the rule file.
#[must_use]
pub fn file(alerts: &[Alert], dashboards: &[Dashboard]) -> File {
    let mut groups: Vec<&str> = Vec::new();
    for alert in alerts {
        if !groups.contains(&alert.group) {
            groups.push(alert.group);
        }
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|name| {
            let rules: Vec<Value> =
                alerts.iter().filter(|alert| alert.group == name).map(|alert| rule(alert, dashboards)).collect();
            json!({"orgId": 1, "name": name, "folder": "CommandCenter", "interval": "10s", "rules": rules})
        })
        .collect();
    File::new(PATH, yaml(&json!({"apiVersion": 1, "groups": groups})))
}

fn rule(alert: &Alert, dashboards: &[Dashboard]) -> Value {
    let (dashboard, _) = alert.panel;
    let mut rule = json!({
        "uid": alert.uid(),
        "title": alert.name,
        "condition": "C",
        "for": alert.hold,
        // ServiceDown covers missing data. An outage of Prometheus must not resolve firing alerts.
        "noDataState": "OK",
        "execErrState": "KeepLast",
        "isPaused": false,
        "labels": {"severity": alert.severity.as_str()},
        "annotations": {
            "summary": alert.summary("{{ with $values.A }}{{ printf \"%\" .Value }}{{ end }}"),
            "description": alert.description,
            "runbook_url": alert.runbook_url(),
            "__dashboardUid__": dashboard,
            "__panelId__": panel_id(alert, dashboards).unwrap_or_default().to_string(),
        },
        "data": [query(alert), threshold(alert)],
    });
    if let Some(keep) = alert.keep {
        rule["keepFiringFor"] = keep.into();
    }
    rule
}

fn query(alert: &Alert) -> Value {
    json!({
        "refId": "A",
        "datasourceUid": "prometheus",
        "relativeTimeRange": {"from": 600, "to": 0},
        "model": {
            "refId": "A",
            "datasource": {"type": "prometheus", "uid": "prometheus"},
            "expr": alert.query,
            "instant": true,
            "range": false,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    })
}

fn threshold(alert: &Alert) -> Value {
    let kind = match alert.comparison {
        Comparison::Above => "gt",
        Comparison::Below => "lt",
    };
    json!({
        "refId": "C",
        "datasourceUid": "__expr__",
        "relativeTimeRange": {"from": 600, "to": 0},
        "model": {
            "refId": "C",
            "datasource": {"type": "__expr__", "uid": "__expr__"},
            "type": "threshold",
            "expression": "A",
            "conditions": [{"evaluator": {"type": kind, "params": [alert.threshold.unwrap_or_default()]}}],
        },
    })
}

/// Returns the id of the panel that the alert links to.
fn panel_id(alert: &Alert, dashboards: &[Dashboard]) -> Option<usize> {
    let (uid, title) = alert.panel;
    dashboards.iter().find(|dashboard| dashboard.uid == uid)?.panel_id(title)
}
