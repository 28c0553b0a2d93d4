//! Provisioned alert rules of Grafana, from the same definitions as the Prometheus rules.
//!
//! A rule is an instant query of the value and a threshold expression. A comparison inside the
//! query would return no data while the alert does not fire.

use crate::files::File;
use crate::stack::alert::{Alert, Comparison, DASHBOARD};
use crate::stack::dashboards;
use crate::stack::rules::yaml;
use serde_json::{Value, json};

/// Path of the rule file in the repository.
pub const PATH: &str = "observability/grafana/provisioning/alerting/rules.yaml";

/// Returns the rule file.
#[must_use]
pub fn file(alerts: &[Alert]) -> File {
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
                alerts.iter().filter(|alert| alert.group == name).map(rule).collect();
            json!({"orgId": 1, "name": name, "folder": "CommandCenter", "interval": "10s", "rules": rules})
        })
        .collect();
    File::new(PATH, yaml(&json!({"apiVersion": 1, "groups": groups})))
}

fn rule(alert: &Alert) -> Value {
    let panel = dashboards::alert_panel(alert.name);
    let mut rule = json!({
        "uid": alert.uid(),
        "title": alert.name,
        "condition": "C",
        "for": alert.hold,
        // ServiceDown covers missing data.
        "noDataState": "OK",
        "execErrState": alert.on_error,
        "isPaused": false,
        "labels": {"severity": alert.severity.as_str()},
        "annotations": {
            "summary": alert.summary("{{ with $values.A }}{{ printf \"%\" .Value }}{{ end }}"),
            "description": alert.description,
            "runbook_url": alert.runbook_url("${RUNBOOK_URL}"),
            "panel_url": alert.panel_url("${GRAFANA_URL}", panel),
            "__dashboardUid__": DASHBOARD,
            "__panelId__": panel.to_string(),
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
