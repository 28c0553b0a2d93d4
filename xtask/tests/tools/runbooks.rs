//! First queries of the runbooks, evaluated on the data of the case in which the alert fires.

use crate::promtool::cases;
use crate::pruned::failure;
use serde_json::{Value, json};
use std::fs;
use xtask::files::root;
use xtask::stack::alert::{Alert, Comparison};
use xtask::stack::{alerts, increments};

/// Returns the case in which an alert fires with its annotations, the evaluation time and the
/// interval.
fn firing(alert: &Alert) -> (Value, Value, Value) {
    let document = cases(&format!("tests/{}.test.yml", alert.group));
    for case in document["tests"].as_array().expect("cases") {
        for check in case["alert_rule_test"].as_array().into_iter().flatten() {
            let fires = !check["exp_alerts"].as_array().expect("a list").is_empty();
            if fires && check["alertname"] == alert.name {
                return (
                    case.clone(),
                    check["eval_time"].clone(),
                    document["evaluation_interval"].clone(),
                );
            }
        }
    }
    panic!("{}: no case that fires", alert.name)
}

fn first_query(alert: &Alert) -> String {
    let path = root().join("observability").join(alert.runbook());
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let query = text.split("```promql\n").nth(1).and_then(|rest| rest.split("```").next());
    query.unwrap_or_else(|| panic!("{}: no query", path.display())).trim().to_owned()
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn the_first_query_returns_a_result_when_the_alert_fires() {
    // The query of HighWorkflowDuration is on agents, of which its case has no series.
    for alert in alerts::all().iter().filter(|alert| alert.name != "HighWorkflowDuration") {
        let (case, time, interval) = firing(alert);
        let query = first_query(alert);
        // A row with the value 0 does not count as a result: `increase` of a new counter is 0.
        let has_result = match alert.comparison {
            Comparison::Above => format!("count(({query}) != 0) >= bool 1"),
            Comparison::Below => format!("count({query}) >= bool 1"),
        };
        let names = [increments::GROUP, alert.group].map(|group| format!("{group}.rules.yml"));
        let rules = names.each_ref().map(|name| {
            let path = root().join("observability/prometheus/rules").join(name);
            (name.clone(), fs::read_to_string(path).expect("the rules"))
        });
        let document = json!({
            "rule_files": names.map(|name| format!("../rules/{name}")),
            "evaluation_interval": interval,
            "tests": [{
                "interval": case["interval"],
                "input_series": case["input_series"],
                "promql_expr_test": [{
                    "expr": has_result,
                    "eval_time": time,
                    "exp_samples": [{"labels": "{}", "value": 1}],
                }],
            }],
        });
        if let Some(text) = failure(&document, &rules) {
            panic!("{}: the query of the runbook returns no result\n{query}\n{text}", alert.name);
        }
    }
}
