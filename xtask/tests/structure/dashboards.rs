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

#[test]
fn every_panel_that_the_users_named_is_there() {
    let titles: BTreeSet<String> = dashboards()
        .iter()
        .flat_map(|board| {
            list(&board["panels"]).iter().map(|panel| text(&panel["title"]).to_owned()).collect::<Vec<_>>()
        })
        .collect();
    for title in [
        "Workflows per minute by status",
        "p95 duration",
        "Active workflows",
        "Success rate",
        "Top 10 slowest workflows",
        "Approvals that wait",
        "Failures by error type",
        "Execution heatmap",
        "Duration p50, p95, p99",
        "Failure rate by agent",
        "Most expensive agents",
        "Retries per minute by reason",
        "API p95 by route",
        "Database latency p95 by operation",
        "5xx per minute",
        "Memory against its limit",
        "Runtime lag p99",
        "Active HTTP requests",
        "CPU",
        "Exporter ledger: lost telemetry",
        "Agent execution minutes",
        "Workflow cost breakdown",
        "Monthly executions",
        "Cost per workflow",
        "Objectives",
        "Error budget left",
        "Burn rate over 5 minutes and 1 hour",
    ] {
        assert!(titles.contains(title), "no panel {title:?}");
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_asks_the_fixed_data_source() {
    for board in dashboards() {
        for panel in list(&board["panels"]) {
            let place = format!("{} / {}", board["title"], panel["title"]);
            assert!(text(&panel["description"]).len() > 20, "{place}: no description");
            assert!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{place}: no unit");
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
                if matches!(text(&panel["type"]), "stat" | "gauge" | "bargauge" | "piechart" | "table") {
                    assert_eq!(target["instant"], true, "{place}: a single value needs an instant query");
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
                "stat" | "bargauge" => assert_eq!(defaults["color"]["mode"], "thresholds", "{place}"),
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
                    assert!(taken.insert((x, y)), "{} / {} overlaps", board["title"], panel["title"]);
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
                let panes: Value = serde_json::from_str(&decoded(panes)).expect("the panes are JSON");
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
        let all: String = list(&panel["targets"]).iter().map(|target| text(&target["expr"])).collect();
        let carried = all
            .split("by (")
            .skip(1)
            .any(|by| by.split(')').next().unwrap_or_default().split(", ").any(|carried| carried == label));
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
