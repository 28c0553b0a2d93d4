//! The dashboards' JSON: what Grafana accepts in silence and then does not show.

use crate::{dashboards, list, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn the_five_boards_stand_in_the_folder_as_bare_objects_with_uid_and_title() {
    let mut found: Vec<(String, String)> = dashboards()
        .iter()
        .map(|board| (text(&board["uid"]).to_owned(), text(&board["title"]).to_owned()))
        .collect();
    found.sort();
    let expected = [
        ("agent-performance", "Agent Performance"),
        ("cost-tracking", "Cost Tracking"),
        ("slo", "SLO"),
        ("system-health", "System Health"),
        ("workflow-overview", "Workflow Overview"),
    ];
    assert_eq!(found, expected.map(|(uid, title)| (uid.to_owned(), title.to_owned())));
    for board in dashboards() {
        assert_eq!(board["editable"], false);
        assert_eq!(board["id"], Value::Null);
    }
}

/// What the users asked for: board, title, how it is drawn.
const NAMED: [(&str, &str, &str); 28] = [
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
];

fn panel(board: &str, title: &str) -> Value {
    let boards = dashboards();
    let found =
        boards.iter().find(|it| it["uid"] == board).unwrap_or_else(|| panic!("no board {board}"));
    let panels = list(&found["panels"]);
    panels
        .iter()
        .find(|it| it["title"] == title)
        .unwrap_or_else(|| panic!("{board}: no panel {title:?}"))
        .clone()
}

#[test]
fn every_panel_that_the_users_named_is_there_and_drawn_as_they_said() {
    for (board, title, kind) in NAMED {
        assert_eq!(panel(board, title)["type"], kind, "{board} / {title}");
    }
}

#[test]
fn colours_change_where_the_users_said() {
    for (board, title, color, from) in [
        ("workflow-overview", "p95 duration", "red", 300_000.0),
        ("workflow-overview", "Top 10 slowest workflows", "red", 300_000.0),
        ("workflow-overview", "Success rate", "green", 99.0),
        ("system-health", "Memory against its limit", "red", 80.0),
        ("system-health", "Runtime lag p99", "red", 0.1),
        ("system-health", "5xx per minute", "red", 50.0),
        ("slo", "Burn rate over 5 minutes and 1 hour", "red", 14.4),
        ("slo", "Burn rate over 30 minutes and 6 hours", "red", 6.0),
    ] {
        let panel = panel(board, title);
        let steps = list(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]);
        assert!(
            steps.contains(&json!({"color": color, "value": from})),
            "{board} / {title}: {steps:?}"
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
fn an_objective_is_green_where_its_own_promise_is_kept() {
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
fn every_panel_says_what_it_shows_in_which_unit_and_asks_the_fixed_data_source() {
    for board in dashboards() {
        for panel in list(&board["panels"]) {
            let place = format!("{} / {}", board["title"], panel["title"]);
            assert!(text(&panel["description"]).len() > 20, "{place}: no description");
            assert!(
                !text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(),
                "{place}: no unit"
            );
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
fn what_breaks_in_silence_is_set() {
    for board in dashboards() {
        for panel in list(&board["panels"]) {
            let place = format!("{} / {}", board["title"], panel["title"]);
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
                "table" => {
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

#[test]
fn exemplars_are_asked_of_tempos_series_and_of_no_other() {
    let mut asked = 0;
    for board in dashboards() {
        for panel in list(&board["panels"]) {
            for target in list(&panel["targets"]) {
                let of_tempo = text(&target["expr"]).contains("traces_spanmetrics_");
                assert_eq!(target["exemplar"], of_tempo, "{} / {}", board["title"], panel["title"]);
                asked += u32::from(of_tempo);
            }
        }
    }
    assert!(asked > 0);
}

#[test]
fn graphs_use_the_rate_interval_and_numbers_the_range() {
    for board in dashboards() {
        for panel in list(&board["panels"]) {
            for target in list(&panel["targets"]) {
                let expression = text(&target["expr"]);
                let place = format!("{} / {}", board["title"], panel["title"]);
                if target["instant"] == true {
                    assert!(!expression.contains("$__rate_interval"), "{place}: {expression}");
                } else {
                    assert!(!expression.contains("$__range"), "{place}: {expression}");
                }
                assert!(
                    !expression.contains("$__interval"),
                    "{place}: an interval can be shorter than a scrape"
                );
            }
        }
    }
}

#[test]
fn every_board_has_the_three_variables_and_uses_those_that_it_shows() {
    for board in dashboards() {
        let all = serde_json::to_string(&board["panels"]).expect("JSON");
        for name in ["service", "workflow", "agent"] {
            let variable = list(&board["templating"]["list"])
                .iter()
                .find(|variable| variable["name"] == name)
                .unwrap_or_else(|| panic!("{}: no variable {name}", board["title"]));
            assert_eq!(variable["allValue"], ".*");
            let used = all.contains(&format!("\\\"${name}\\\""));
            assert_eq!(
                variable["hide"] == 0,
                used,
                "{}: {name} is shown and unused, or used and hidden",
                board["title"]
            );
        }
    }
}

#[test]
fn panels_do_not_overlap_and_stay_on_the_grid() {
    for board in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in list(&board["panels"]) {
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(at("x") + at("w") <= 24, "{} / {}", board["title"], panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(
                        taken.insert((x, y)),
                        "{} / {} overlaps",
                        board["title"],
                        panel["title"]
                    );
                }
            }
        }
    }
}

#[test]
fn from_every_panel_of_spans_there_is_a_way_to_the_traces_in_the_panels_time() {
    let mut links = 0;
    for board in dashboards() {
        for panel in list(&board["panels"]) {
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

/// A label that the link asks for must be one that the panel's series carry.
fn check_labels(panel: &Value, query: &str) {
    for part in query.split("${__field.labels.").skip(1) {
        let label = part.split('}').next().unwrap_or_default();
        let all: String =
            list(&panel["targets"]).iter().map(|target| text(&target["expr"])).collect();
        let carried = all.split("by (").skip(1).any(|by| {
            by.split(')').next().unwrap_or_default().split(", ").any(|carried| carried == label)
        });
        assert!(carried, "{}: no label {label} to fill in", panel["title"]);
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
