//! Expressions of the committed files: syntax, series and labels.

use crate::{dashboards, files, list, panels, text, yaml};
use hub_otel::semconv::METRICS;
use xtask::stack::alert::DASHBOARD;
use xtask::stack::dashboards::alert_panel;
use xtask::stack::expression::{VARIABLES, faults, filtered, interpolated};
use xtask::stack::{alerts, known_series};

/// Returns every expression with its location.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            for target in list(&panel["targets"]) {
                if target["datasource"]["uid"] != "prometheus" {
                    continue;
                }
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
    for dashboard in dashboards() {
        for annotation in list(&dashboard["annotations"]["list"]) {
            if let Some(expression) = annotation["expr"].as_str() {
                let place = format!("{} / {}", dashboard["title"], annotation["name"]);
                found.push((place, expression.to_owned()));
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
    // Not on a dashboard: rarely needed, or the same as agent.tokens.
    let unread = [
        "process_thread_count",
        "process_unix_file_descriptor_count",
        "gen_ai_client_inference_usage_output_tokens_total",
    ];
    for metric in METRICS.iter().filter(|metric| !unread.contains(&metric.prometheus)) {
        assert!(all.contains(metric.prometheus), "nothing reads {}", metric.prometheus);
    }
}

#[test]
fn a_filter_reaches_each_selector_of_a_series_with_its_label() {
    let filters = [("workflow_id", "$workflow"), ("agent_id", "$agent")];
    let filter = |expression: &str| filtered(expression, &filters, &known_series::all());
    assert_eq!(
        filter("sum(rate(workflow_runs_total{status=\"FAILED\"}[5m])) / sum(up)"),
        "sum(rate(workflow_runs_total{status=\"FAILED\",workflow_id=~\"$workflow\"}[5m])) / sum(up)"
    );
    assert_eq!(
        filter("agent_runs_total offset 5m unless on (job) up"),
        "agent_runs_total{agent_id=~\"$agent\"} offset 5m unless on (job) up"
    );
}

/// Removes the filters of the dashboard from an expression.
fn unfiltered(expression: &str) -> String {
    ["service", "environment", "cluster", "workflow", "agent"].iter().fold(
        expression.to_owned(),
        |text, variable| {
            let label = match *variable {
                "service" => "service_name",
                "environment" => "deployment_environment_name",
                "workflow" => "workflow_id",
                "agent" => "agent_id",
                other => other,
            };
            let matcher = format!("{label}=~\"${variable}\"");
            text.replace(&format!(",{matcher}"), "")
                .replace(&format!("{matcher},"), "")
                .replace(&format!("{{{matcher}}}"), "")
        },
    )
}

#[test]
fn the_panel_of_each_alert_plots_its_expression_with_its_threshold_by_its_labels() {
    let dashboards = dashboards();
    let board = dashboards.iter().find(|board| board["uid"] == DASHBOARD).expect("the dashboard");
    for alert in alerts::all() {
        let panels = panels(board);
        let id = alert_panel(alert.name);
        let panel = panels.iter().find(|panel| panel["id"] == id).expect(alert.name);
        let shown = text(&panel["targets"][0]["expr"]);
        let plain = |expression: &str| filtered(expression, &[], &[]);
        assert_eq!(plain(&unfiltered(shown)), plain(&alert.query), "{}", alert.name);
        let steps = list(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]);
        assert_eq!(steps[1]["value"].as_f64(), alert.threshold, "{}", alert.name);
        for (label, variable) in alert.filters() {
            assert!(
                shown.contains(&format!("{label}=~\"${variable}\"")),
                "{}: {shown}",
                alert.name
            );
            let link =
                format!("{{{{ with $labels.{label} }}}}&var-{variable}={{{{ . }}}}{{{{ end }}}}");
            assert!(alert.panel_url("g", id).contains(&link), "{}: {link}", alert.name);
        }
    }
    let by = |name: &str| {
        let alert = alerts::all().into_iter().find(|alert| alert.name == name).expect(name);
        alert.filters().into_iter().map(|(_, variable)| variable).collect::<Vec<_>>()
    };
    assert_eq!(by("WorkflowFailing"), ["service", "environment", "cluster", "workflow"]);
    assert_eq!(by("AgentFailureSpike"), ["service", "environment", "cluster", "agent"]);
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
