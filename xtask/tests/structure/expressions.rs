//! Expressions of the committed files: syntax, series and labels.

use crate::{dashboards, files, list, text, yaml};
use hub_otel::semconv::METRICS;
use xtask::stack::expression::{VARIABLES, faults, interpolated};
use xtask::stack::known_series;

/// Returns every expression with its location.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for dashboard in dashboards() {
        for panel in list(&dashboard["panels"]) {
            for target in list(&panel["targets"]) {
                let place =
                    format!("{} / {} / {}", dashboard["title"], panel["title"], target["refId"]);
                found.push((place, text(&target["expr"]).to_owned()));
            }
        }
        for variable in list(&dashboard["templating"]["list"]) {
            if variable["type"] == "query" {
                // `label_values(SELECTOR, LABEL)` is checked as `count by (LABEL) (SELECTOR)`.
                let query = text(&variable["query"]["query"]);
                let inner = query
                    .strip_prefix("label_values(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .expect(query);
                let (selector, label) = inner.rsplit_once(", ").expect(query);
                found.push((
                    format!("{} / {query}", dashboard["title"]),
                    format!("count by ({label}) ({selector})"),
                ));
            }
        }
    }
    for path in files("prometheus/rules", ".yml") {
        for group in list(&yaml(&path)["groups"]) {
            for rule in list(&group["rules"]) {
                found.push((
                    format!("{} {}{}", path.display(), rule["alert"], rule["record"]),
                    text(&rule["expr"]).to_owned(),
                ));
            }
        }
    }
    for group in list(&yaml("grafana/provisioning/alerting/rules.yaml")["groups"]) {
        for rule in list(&group["rules"]) {
            found.push((
                format!("Grafana {}", rule["title"]),
                text(&rule["data"][0]["model"]["expr"]).to_owned(),
            ));
        }
    }
    for source in list(&yaml("grafana/provisioning/datasources/stack.yaml")["datasources"]) {
        for query in list(&source["jsonData"]["tracesToMetrics"]["queries"]) {
            let expression =
                text(&query["query"]).replace("$$__tags", "workflow_id=\"x\"").replace("$$", "$");
            found.push((format!("{} {}", source["name"], query["name"]), expression));
        }
    }
    found
}

#[test]
fn every_expression_parses_and_uses_existing_series_and_labels() {
    let known = known_series::all();
    let all = expressions();
    assert!(all.len() > 100, "only {} expressions found", all.len());
    let wrong: Vec<String> = all
        .iter()
        .flat_map(|(place, expression)| {
            faults(&interpolated(expression, VARIABLES), &known)
                .into_iter()
                .map(move |fault| format!("{place}: {fault}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_variable_in_an_expression_is_defined() {
    for (place, expression) in expressions() {
        let expression = interpolated(&expression, VARIABLES);
        assert!(!expression.contains('$'), "{place}: {expression}");
    }
}

#[test]
fn every_metric_of_the_contract_but_three_is_used_in_an_expression() {
    let all: String = expressions().into_iter().map(|(_, expression)| expression + "\n").collect();
    // Not on a dashboard: rarely needed.
    let unread = [
        "http_client_request_duration_seconds",
        "process_thread_count",
        "process_unix_file_descriptor_count",
    ];
    for metric in METRICS.iter().filter(|metric| !unread.contains(&metric.prometheus)) {
        assert!(all.contains(metric.prometheus), "nothing reads {}", metric.prometheus);
    }
}

#[test]
fn an_unknown_series_or_label_is_reported() {
    let known = known_series::all();
    let wrong = |expression: &str| faults(expression, &known).join("; ");
    assert_eq!(wrong("sum by (status) (rate(workflow_runs_total[5m]))"), "");
    assert_eq!(wrong("workflow_runs_total_total"), "unknown series `workflow_runs_total_total`");
    assert_eq!(
        wrong("workflow_runs_total{agent_id=\"x\"}"),
        "`workflow_runs_total` has no label `agent_id`"
    );
    assert_eq!(
        wrong("sum by (workflow) (workflows_active)"),
        "the operand has no label `workflow`"
    );
    assert_eq!(
        wrong("workflows_active / on (agent_id) agent_runs_total"),
        "the operand has no label `agent_id`"
    );
    assert!(wrong("sum(").starts_with("does not parse"));
}
