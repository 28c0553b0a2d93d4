//! Every expression of the committed files: it parses, and names only what exists.

use crate::{dashboards, files, list, text, yaml};
use hub_otel::semconv::METRICS;
use xtask::stack::expression::{VARIABLES, faults, interpolated};
use xtask::stack::known_series;

/// Every expression, with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for board in dashboards() {
        for panel in list(&board["panels"]) {
            for target in list(&panel["targets"]) {
                let place =
                    format!("{} / {} / {}", board["title"], panel["title"], target["refId"]);
                found.push((place, text(&target["expr"]).to_owned()));
            }
        }
        for variable in list(&board["templating"]["list"]) {
            if variable["type"] == "query" {
                // label_values(SELECTOR, LABEL): the selector, by the label, is an expression.
                let query = text(&variable["query"]["query"]);
                let inner = query
                    .strip_prefix("label_values(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .expect(query);
                let (selector, label) = inner.rsplit_once(", ").expect(query);
                found.push((
                    format!("{} / {query}", board["title"]),
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
fn every_expression_parses_and_names_only_series_and_labels_that_exist() {
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
fn no_variable_is_left_that_nobody_fills_in() {
    for (place, expression) in expressions() {
        let expression = interpolated(&expression, VARIABLES);
        assert!(!expression.contains('$'), "{place}: {expression}");
    }
}

#[test]
fn a_metric_of_the_contract_that_people_wait_for_is_read_somewhere() {
    let all: String = expressions().into_iter().map(|(_, expression)| expression + "\n").collect();
    // Not on a board: they answer questions that nobody asks every day.
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
fn a_wrong_name_or_label_is_found() {
    let known = known_series::all();
    let wrong = |expression: &str| faults(expression, &known).join("; ");
    assert_eq!(wrong("sum by (status) (rate(workflow_runs_total[5m]))"), "");
    assert_eq!(wrong("workflow_runs_total_total"), "unknown series `workflow_runs_total_total`");
    assert_eq!(
        wrong("workflow_runs_total{agent_id=\"x\"}"),
        "`workflow_runs_total` has no label `agent_id`"
    );
    assert_eq!(wrong("sum by (workflow) (workflows_active)"), "no such label here: `workflow`");
    assert_eq!(
        wrong("workflows_active / on (agent_id) agent_runs_total"),
        "no such label here: `agent_id`"
    );
    assert!(wrong("sum(").starts_with("does not parse"));
}
