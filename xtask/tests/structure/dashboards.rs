//! JSON of the dashboards, including mistakes that Grafana accepts without an error.

use crate::{dashboards, list, panels, read, text, yaml};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn the_folder_contains_the_dashboards_with_uid_and_title() {
    let mut found: Vec<(String, String)> = dashboards()
        .iter()
        .map(|dashboard| (text(&dashboard["uid"]).to_owned(), text(&dashboard["title"]).to_owned()))
        .collect();
    found.sort();
    let expected = [
        ("agent-performance", "Agent Performance"),
        ("alerts", "Alerts"),
        ("cost-tracking", "Cost Tracking"),
        ("llm", "LLM"),
        ("slo", "SLO"),
        ("system-health", "System Health"),
        ("workflow-overview", "Workflow Overview"),
    ];
    assert_eq!(found, expected.map(|(uid, title)| (uid.to_owned(), title.to_owned())));
    for dashboard in dashboards() {
        assert_eq!(dashboard["editable"], false);
        assert_eq!(dashboard["id"], Value::Null);
    }
}

/// Panels required by the users: dashboard, title, kind of panel.
const REQUIRED: [(&str, &str, &str); 38] = [
    ("workflow-overview", "Workflows per minute by status", "timeseries"),
    ("workflow-overview", "p95 duration", "gauge"),
    ("workflow-overview", "Active workflows", "stat"),
    ("workflow-overview", "Success rate", "stat"),
    ("workflow-overview", "Top 10 slowest workflows", "bargauge"),
    ("workflow-overview", "Approvals that wait", "timeseries"),
    ("workflow-overview", "Failures by error type", "bargauge"),
    ("agent-performance", "Execution heatmap", "heatmap"),
    ("agent-performance", "Duration p50, p95, p99", "timeseries"),
    ("agent-performance", "Failure rate by agent", "bargauge"),
    ("agent-performance", "Most expensive agents", "table"),
    ("agent-performance", "Retries per minute by reason", "timeseries"),
    ("system-health", "API p95 by route", "timeseries"),
    ("system-health", "Database latency p95 by operation", "timeseries"),
    ("system-health", "5xx per minute", "timeseries"),
    ("system-health", "Memory against its limit", "timeseries"),
    ("system-health", "Runtime lag p99", "timeseries"),
    ("system-health", "Active HTTP requests", "stat"),
    ("system-health", "CPU", "timeseries"),
    ("system-health", "Exporter ledger: lost telemetry", "timeseries"),
    ("cost-tracking", "Agent execution minutes", "bargauge"),
    ("cost-tracking", "Workflow cost breakdown", "piechart"),
    ("cost-tracking", "Monthly executions", "stat"),
    ("cost-tracking", "Cost per workflow", "table"),
    ("slo", "Objectives", "stat"),
    ("slo", "Error budget left", "bargauge"),
    ("slo", "Burn rate over 5 minutes and 1 hour", "timeseries"),
    ("slo", "Burn rate over 30 minutes and 6 hours", "timeseries"),
    ("slo", "Burn rate over 6 hours and 3 days", "timeseries"),
    ("workflow-overview", "Failed runs", "table"),
    ("workflow-overview", "Warnings and errors", "logs"),
    ("agent-performance", "Failed executions", "table"),
    ("system-health", "Alerts", "alertlist"),
    ("system-health", "Service map", "nodeGraph"),
    ("system-health", "Warnings and errors", "logs"),
    ("system-health", "Database errors per minute", "timeseries"),
    ("system-health", "Database connections by pool", "timeseries"),
    ("cost-tracking", "Executions per day", "timeseries"),
];

#[test]
fn panels_on_traces_and_logs_query_their_store_by_the_variables() {
    let target = |dashboard, title| panel(dashboard, title)["targets"][0].clone();
    let traces = target("workflow-overview", "Failed runs");
    assert_eq!(traces["datasource"], json!({"type": "tempo", "uid": "tempo"}));
    assert_eq!((&traces["queryType"], &traces["tableType"]), (&"traceql".into(), &"traces".into()));
    for part in ["${service:pipe}", "${workflow:pipe}", "status = error"] {
        assert!(text(&traces["query"]).contains(part), "{traces}");
    }
    let map = target("system-health", "Service map");
    assert_eq!(
        (&map["queryType"], &map["datasource"]["uid"]),
        (&"serviceMap".into(), &"tempo".into())
    );
    // The map needs Tempo's service graphs, and their store.
    let tempo = yaml("tempo/tempo.yaml");
    let processors = list(&tempo["overrides"]["defaults"]["metrics_generator"]["processors"]);
    assert!(processors.contains(&"service-graphs".into()), "{processors:?}");
    let sources = yaml("grafana/provisioning/datasources/stack.yaml");
    let source = list(&sources["datasources"]).iter().find(|it| it["uid"] == "tempo").cloned();
    assert_eq!(source.expect("Tempo")["jsonData"]["serviceMap"]["datasourceUid"], "prometheus");
    let logs = target("system-health", "Warnings and errors");
    assert_eq!(logs["datasource"], json!({"type": "loki", "uid": "loki"}));
    // Labels of the index; Loki rejects a query whose matchers all accept the empty value.
    let loki = yaml("loki/config.yaml");
    let attributes = &loki["limits_config"]["otlp_config"]["resource_attributes"]["attributes_config"]
        [0]["attributes"];
    for attribute in ["service.name", "deployment.environment.name"] {
        assert!(list(attributes).contains(&attribute.into()), "{attributes}");
        let matcher = format!("{}=~\"$", attribute.replace('.', "_"));
        assert!(text(&logs["expr"]).contains(&matcher), "{logs}");
    }
    assert!(text(&logs["expr"]).starts_with("{service_name=~\".+\", "), "{logs}");
}

#[test]
fn every_dashboard_has_sections_and_marks_deployments_and_starts() {
    for dashboard in dashboards() {
        let rows = list(&dashboard["panels"]).iter().filter(|panel| panel["type"] == "row").count();
        assert!(rows >= 2, "{}: {rows} sections", dashboard["title"]);
        assert_eq!(dashboard["panels"][0]["type"], "row", "{}", dashboard["title"]);
        let names: Vec<&str> = list(&dashboard["annotations"]["list"])
            .iter()
            .map(|annotation| text(&annotation["name"]))
            .collect();
        assert_eq!(names[..2], ["Deployments", "Starts of the service"], "{}", dashboard["title"]);
    }
}

fn panel(dashboard: &str, title: &str) -> Value {
    let dashboards = dashboards();
    let found = dashboards
        .iter()
        .find(|it| it["uid"] == dashboard)
        .unwrap_or_else(|| panic!("no dashboard {dashboard}"));
    panels(found)
        .into_iter()
        .find(|it| it["title"] == title)
        .unwrap_or_else(|| panic!("{dashboard}: no panel {title:?}"))
}

#[test]
fn every_panel_that_the_users_require_exists_with_the_required_kind() {
    for (dashboard, title, kind) in REQUIRED {
        assert_eq!(panel(dashboard, title)["type"], kind, "{dashboard} / {title}");
    }
}

#[test]
fn colours_change_at_the_thresholds_of_the_users() {
    for (dashboard, title, color, from) in [
        ("workflow-overview", "p95 duration", "red", 300_000.0),
        ("workflow-overview", "Top 10 slowest workflows", "red", 300_000.0),
        ("workflow-overview", "Success rate", "green", 99.0),
        ("system-health", "Memory against its limit", "red", 80.0),
        ("system-health", "Runtime lag p99", "red", 0.1),
        ("system-health", "5xx per minute", "red", 50.0),
        ("slo", "Burn rate over 5 minutes and 1 hour", "red", 14.4),
        ("slo", "Burn rate over 30 minutes and 6 hours", "red", 6.0),
    ] {
        let panel = panel(dashboard, title);
        let steps = list(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]);
        assert!(
            steps.contains(&json!({"color": color, "value": from})),
            "{dashboard} / {title}: {steps:?}"
        );
    }
    let panel = panel("workflow-overview", "Workflows per minute by status");
    for (status, color) in [("SUCCESS", "green"), ("FAILED", "red"), ("TIMED_OUT", "yellow")] {
        let fixed = json!({"id": "color", "value": {"mode": "fixed", "fixedColor": color}});
        let overrides = list(&panel["fieldConfig"]["overrides"]);
        let found = overrides.iter().find(|it| it["matcher"]["options"] == status).expect(status);
        assert_eq!(found["properties"][0], fixed, "{status}");
    }
}

#[test]
fn in_perses_each_status_has_its_color_too() {
    let board = read("perses/dashboards/workflow-overview.json");
    let board: Value = serde_json::from_str(&board).expect("JSON");
    let panels = board["spec"]["panels"].as_object().expect("panels");
    let panel = panels
        .values()
        .find(|panel| panel["spec"]["display"]["name"] == "Workflows per minute by status")
        .expect("the panel");
    let settings = list(&panel["spec"]["plugin"]["spec"]["querySettings"]);
    let colors: Vec<(String, &str)> = list(&panel["spec"]["queries"])
        .iter()
        .enumerate()
        .map(|(index, query)| {
            let query = text(&query["spec"]["plugin"]["spec"]["query"]);
            let (_, status) = query.split_once("{status=\"").expect("a status");
            let (status, _) = status.split_once('"').expect("a status");
            let set = settings.iter().find(|set| set["queryIndex"] == index).expect("a setting");
            assert_eq!(set["colorMode"], "fixed-single");
            (status.to_owned(), text(&set["colorValue"]))
        })
        .collect();
    assert_eq!(
        colors.iter().map(|(status, color)| (&**status, *color)).collect::<Vec<_>>(),
        [
            ("SUCCESS", "#73bf69"),
            ("FAILED", "#f2495c"),
            ("TIMED_OUT", "#fade2a"),
            ("CANCELLED", "#5794f2"),
            ("REJECTED", "#b877d9"),
        ]
    );
}

#[test]
fn each_objective_is_green_from_its_own_target() {
    let panel = panel("slo", "Achieved");
    for objective in xtask::stack::slo::objectives() {
        let found = list(&panel["fieldConfig"]["overrides"])
            .iter()
            .find(|it| {
                it["matcher"]
                    == json!({"id": "byRegexp", "options": format!("/ {}$/", objective.id)})
            })
            .unwrap_or_else(|| panic!("{}: no colours of its own", objective.id));
        let steps = list(&found["properties"][0]["value"]["steps"]);
        assert_eq!(
            steps[1],
            json!({"color": "green", "value": objective.target}),
            "{}",
            objective.id
        );
    }
}

#[test]
fn every_panel_has_a_description_a_unit_and_the_fixed_data_source() {
    for dashboard in dashboards() {
        for panel in &panels(&dashboard) {
            let place = format!("{} / {}", dashboard["title"], panel["title"]);
            assert!(text(&panel["description"]).len() > 20, "{place}: no description");
            assert!(
                !text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(),
                "{place}: no unit"
            );
            let no_value = text(&panel["fieldConfig"]["defaults"]["noValue"]);
            assert!(!no_value.is_empty(), "{place}: no text for no data");
            if panel["datasource"]["uid"] != "prometheus" {
                continue;
            }
            assert!(!list(&panel["targets"]).is_empty(), "{place}: no query");
            let mut letters = BTreeSet::new();
            for target in list(&panel["targets"]) {
                assert_eq!(
                    target["datasource"],
                    json!({"type": "prometheus", "uid": "prometheus"}),
                    "{place}"
                );
                assert!(letters.insert(text(&target["refId"]).to_owned()), "{place}: refId twice");
                assert_ne!(target["instant"], target["range"], "{place}: both or neither");
                if matches!(
                    text(&panel["type"]),
                    "stat" | "gauge" | "bargauge" | "piechart" | "table"
                ) {
                    assert_eq!(
                        target["instant"], true,
                        "{place}: a single value needs an instant query"
                    );
                }
            }
        }
    }
}

#[test]
fn options_whose_absence_grafana_does_not_report_are_set() {
    for dashboard in dashboards() {
        for panel in &panels(&dashboard) {
            let place = format!("{} / {}", dashboard["title"], panel["title"]);
            let defaults = &panel["fieldConfig"]["defaults"];
            match text(&panel["type"]) {
                "stat" | "bargauge" => {
                    assert_eq!(defaults["color"]["mode"], "thresholds", "{place}")
                }
                "gauge" => {
                    assert_eq!(defaults["color"]["mode"], "thresholds", "{place}");
                    assert!(defaults["min"].is_number() && defaults["max"].is_number(), "{place}");
                }
                "heatmap" => {
                    assert_eq!(panel["options"]["calculate"], false, "{place}");
                    assert!(panel["options"]["yAxis"]["unit"].is_string(), "{place}");
                    assert_eq!(panel["targets"][0]["format"], "heatmap", "{place}");
                }
                "table" if panel["datasource"]["uid"] == "prometheus" => {
                    let organize = list(&panel["transformations"])
                        .iter()
                        .find(|step| step["id"] == "organize")
                        .unwrap_or_else(|| panic!("{place}: shows the column Time"));
                    assert_eq!(organize["options"]["excludeByName"]["Time"], true, "{place}");
                }
                _ => {}
            }
            let steps = list(&defaults["thresholds"]["steps"]);
            assert_eq!(steps[0]["value"], Value::Null, "{place}: the first step has no bound");
            let bounds: Vec<f64> =
                steps[1..].iter().map(|step| step["value"].as_f64().expect("a bound")).collect();
            assert!(bounds.is_sorted(), "{place}: {bounds:?}");
        }
    }
}

/// Returns the queries of a panel, none for a panel on another store.
fn of_prometheus(panel: &Value) -> &[Value] {
    if panel["datasource"]["uid"] == "prometheus" { list(&panel["targets"]) } else { &[] }
}

#[test]
fn exemplars_are_queried_for_series_of_tempo_only() {
    let mut queried = 0;
    for dashboard in dashboards() {
        for panel in &panels(&dashboard) {
            for target in of_prometheus(panel) {
                let of_tempo = text(&target["expr"]).contains("traces_spanmetrics_");
                assert_eq!(
                    target["exemplar"], of_tempo,
                    "{} / {}",
                    dashboard["title"], panel["title"]
                );
                queried += u32::from(of_tempo);
            }
        }
    }
    assert!(queried > 0);
}

#[test]
fn durations_before_sampling_are_read_from_the_connector_of_the_sampler() {
    let collector = yaml("scale-out/collector-sample.yaml");
    let connector = &collector["connectors"]["span_metrics"];
    // The default namespace and the unit result in the name of the series.
    assert_eq!(connector["namespace"], Value::Null);
    assert_eq!(connector["histogram"]["unit"], "s");
    let before = &collector["service"]["pipelines"]["traces/in"];
    assert!(!list(&before["processors"]).iter().any(|it| it == "tail_sampling"), "{before}");
    let reads = |dashboard: &Value| {
        panels(dashboard).iter().flat_map(|panel| of_prometheus(panel).to_vec()).any(|target| {
            text(&target["expr"]).contains("traces_span_metrics_duration_seconds_bucket{")
        })
    };
    assert!(dashboards().iter().any(reads), "no panel reads its series");
}

#[test]
fn ends_of_units_have_the_same_colours_in_each_panel_and_alerts_an_axis_from_zero() {
    let dashboards = dashboards();
    let board = |uid: &str| dashboards.iter().find(|it| it["uid"] == uid).expect("a dashboard");
    let colors = |title: &str| {
        let panels = panels(board("workflow-overview"));
        let panel = panels.iter().find(|panel| panel["title"] == title).expect("a panel");
        let overrides = list(&panel["fieldConfig"]["overrides"]).to_vec();
        overrides.into_iter().map(|it| it["properties"].clone()).collect::<Vec<_>>()
    };
    let by_status = colors("Runs by status");
    assert_eq!(by_status.len(), 5, "one for each status");
    assert_eq!(by_status, colors("Workflows per minute by status"));
    for panel in panels(board("alerts")) {
        assert_eq!(panel["fieldConfig"]["defaults"]["min"], 0.0, "{}", panel["title"]);
    }
}

#[test]
fn graphs_use_the_rate_interval_and_numbers_the_range() {
    for dashboard in dashboards() {
        for panel in &panels(&dashboard) {
            for target in of_prometheus(panel) {
                let expression = text(&target["expr"]);
                let place = format!("{} / {}", dashboard["title"], panel["title"]);
                if target["instant"] == true {
                    assert!(!expression.contains("$__rate_interval"), "{place}: {expression}");
                    assert!(!expression.contains("$__interval"), "{place}: {expression}");
                } else {
                    assert!(!expression.contains("$__range"), "{place}: {expression}");
                }
                // Recorded once a minute: a shorter interval would contain no sample.
                if expression.contains("$__interval") {
                    assert_eq!(panel["interval"], "1m", "{place}");
                    assert!(expression.contains(":increase1m"), "{place}: {expression}");
                }
                // Buckets of units have too many series for a day.
                for metric in ["workflow_duration_milliseconds", "agent_duration_milliseconds"] {
                    assert!(!expression.contains(metric), "{place}: {expression}");
                }
            }
        }
    }
}

#[test]
fn every_dashboard_has_the_variables_and_shows_those_that_it_uses() {
    for dashboard in dashboards() {
        let all = serde_json::to_string(&dashboard["panels"]).expect("JSON");
        for name in ["cluster", "environment", "service", "workflow", "agent", "instance"] {
            let variable = list(&dashboard["templating"]["list"])
                .iter()
                .find(|variable| variable["name"] == name)
                .unwrap_or_else(|| panic!("{}: no variable {name}", dashboard["title"]));
            assert_eq!(variable["allValue"], ".*");
            let used = all.contains(&format!("\\\"${name}\\\""));
            assert_eq!(
                variable["hide"] == 0,
                used,
                "{}: {name} is shown and unused, or used and hidden",
                dashboard["title"]
            );
        }
    }
}

#[test]
fn panels_do_not_overlap_and_stay_on_the_grid() {
    for dashboard in dashboards() {
        let mut occupied = BTreeSet::new();
        for panel in &panels(&dashboard) {
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(at("x") + at("w") <= 24, "{} / {}", dashboard["title"], panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(
                        occupied.insert((x, y)),
                        "{} / {} overlaps",
                        dashboard["title"],
                        panel["title"]
                    );
                }
            }
        }
    }
}

#[test]
fn links_of_panels_lead_to_traces_in_the_time_range_of_the_panel() {
    let mut links = 0;
    for dashboard in dashboards() {
        for panel in &panels(&dashboard) {
            for link in list(&panel["fieldConfig"]["defaults"]["links"]) {
                links += 1;
                let url = text(&link["url"]);
                let panes = url.strip_prefix("/explore?schemaVersion=1&orgId=1&panes=").expect(url);
                let panes: Value =
                    serde_json::from_str(&decoded(panes)).expect("the panes are JSON");
                assert_eq!(panes["a"]["datasource"], "tempo");
                assert_eq!(panes["a"]["range"], json!({"from": "${__from}", "to": "${__to}"}));
                let query = text(&panes["a"]["queries"][0]["query"]);
                assert!(query.starts_with("{ ") && query.ends_with(" }"), "{query}");
                assert!(query.contains("resource.service.name =~ \"${service:pipe}\""), "{query}");
                check_labels(panel, query);
            }
        }
    }
    assert!(links > 15, "{links}");
}

/// Asserts that the series of the panel have each label that the link uses.
fn check_labels(panel: &Value, query: &str) {
    for part in query.split("${__field.labels.").skip(1) {
        let label = part.split('}').next().unwrap_or_default();
        let all: String =
            list(&panel["targets"]).iter().map(|target| text(&target["expr"])).collect();
        let present = all.split("by (").skip(1).any(|by| {
            by.split(')').next().unwrap_or_default().split(", ").any(|present| present == label)
        });
        assert!(present, "{}: the link uses the label {label}", panel["title"]);
    }
}

fn decoded(url: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = url.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, tail @ ..]) = (first, tail) {
            let digits = String::from_utf8_lossy(&[*high, *low]).into_owned();
            bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
