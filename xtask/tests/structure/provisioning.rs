//! Provisioning of Grafana: mistakes that prevent its start, and mistakes that it accepts without
//! an error.

use crate::{dashboards, files, list, text, yaml};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use xtask::stack::alerts;

const RULES: &str = "grafana/provisioning/alerting/rules.yaml";

fn rules() -> Vec<Value> {
    list(&yaml(RULES)["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

#[test]
fn rules_have_unique_uids_and_titles_that_grafana_accepts() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        let (uid, title) = (text(&rule["uid"]), text(&rule["title"]));
        assert!(
            uid.len() <= 40 && uid.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
            "{uid}"
        );
        assert!(
            seen.insert(uid.to_owned()) && seen.insert(title.to_owned()),
            "{uid} or {title} twice"
        );
    }
}

#[test]
fn the_rules_required_by_the_users_have_the_required_uids_groups_and_severities() {
    let document = yaml(RULES);
    let place = |uid: &str| {
        list(&document["groups"])
            .iter()
            .find(|group| list(&group["rules"]).iter().any(|rule| rule["uid"] == uid))
            .map(|group| text(&group["name"]).to_owned())
    };
    assert_eq!(place("workflow_failure_rate").as_deref(), Some("workflow_alerts"));
    assert_eq!(place("high_workflow_duration").as_deref(), Some("workflow_alerts"));
    assert_eq!(place("service_down").as_deref(), Some("system_alerts"));
    assert_eq!(place("high_error_rate").as_deref(), Some("system_alerts"));
    let severity: BTreeMap<&str, &str> =
        alerts::all().iter().map(|alert| (alert.name, alert.severity.as_str())).collect();
    for critical in ["WorkflowFailureRate", "ServiceDown", "HighErrorRate", "DatabaseErrors"] {
        assert_eq!(severity[critical], "critical", "{critical}");
    }
    for warning in
        ["HighWorkflowDuration", "AgentFailureSpike", "HighMemoryUsage", "ApprovalBacklog"]
    {
        assert_eq!(severity[warning], "warning", "{warning}");
    }
}

#[test]
fn groups_have_a_folder_and_an_interval_that_is_a_multiple_of_ten_seconds() {
    for group in list(&yaml(RULES)["groups"]) {
        assert_eq!(group["folder"], "CommandCenter");
        let seconds: u64 = text(&group["interval"]).trim_end_matches('s').parse().expect("seconds");
        assert_eq!(seconds % 10, 0);
    }
}

#[test]
fn a_rule_is_an_instant_query_of_a_value_and_a_threshold_expression() {
    for rule in rules() {
        let title = text(&rule["title"]);
        assert_eq!(rule["condition"], "C", "{title}");
        assert_eq!(rule["noDataState"], "OK", "{title}");
        // Watchdog ends without Prometheus, and StackComponentDown reports it.
        let expected = match title {
            "Watchdog" => "OK",
            "StackComponentDown" => "Alerting",
            _ => "KeepLast",
        };
        assert_eq!(rule["execErrState"], expected, "{title}");
        let [query, threshold] = list(&rule["data"]) else {
            panic!("{title}: not a query and a threshold")
        };
        for part in [query, threshold] {
            assert_eq!(part["relativeTimeRange"], json!({"from": 600, "to": 0}), "{title}");
            assert_eq!(part["refId"], part["model"]["refId"], "{title}");
            assert_eq!(part["datasourceUid"], part["model"]["datasource"]["uid"], "{title}");
        }
        assert_eq!(query["datasourceUid"], "prometheus", "{title}");
        assert_eq!(
            (&query["model"]["instant"], &query["model"]["range"]),
            (&json!(true), &json!(false)),
            "{title}"
        );
        assert_eq!(threshold["datasourceUid"], "__expr__", "{title}");
        assert_eq!(threshold["model"]["expression"], query["refId"], "{title}");
        let hold = text(&rule["for"]);
        assert!(hold.ends_with(['s', 'm']), "{title}: {hold} has no unit");
    }
}

#[test]
fn grafana_and_prometheus_compare_the_same_value_with_the_same_threshold() {
    let committed: BTreeMap<String, String> = files("prometheus/rules", ".yml")
        .iter()
        .flat_map(|path| list(&yaml(path)["groups"]).to_vec())
        .flat_map(|group| list(&group["rules"]).to_vec())
        .filter(|rule| rule["alert"].is_string())
        .map(|rule| (text(&rule["alert"]).to_owned(), text(&rule["expr"]).to_owned()))
        .collect();
    let rules = rules();
    assert_eq!(committed.len(), rules.len());
    for rule in rules {
        let title = text(&rule["title"]);
        let evaluator = &rule["data"][1]["model"]["conditions"][0]["evaluator"];
        let operator = if evaluator["type"] == "gt" { ">" } else { "<" };
        let query = text(&rule["data"][0]["model"]["expr"]);
        let threshold = evaluator["params"][0].as_f64().expect("a number");
        let expected = promql_parser::parser::parse(&format!("({query}) {operator} {threshold}"))
            .expect("parses");
        let found = promql_parser::parser::parse(&committed[title]).expect("parses");
        assert_eq!(expected.prettify(), found.prettify(), "{title}");
    }
}

#[test]
fn every_alert_links_to_an_existing_panel() {
    let panels: BTreeSet<(String, String)> = dashboards()
        .iter()
        .flat_map(|dashboard| {
            let uid = text(&dashboard["uid"]).to_owned();
            list(&dashboard["panels"])
                .iter()
                .map(move |panel| (uid.clone(), panel["id"].to_string()))
                .collect::<Vec<_>>()
        })
        .collect();
    for rule in rules() {
        let annotations = &rule["annotations"];
        let link = (
            text(&annotations["__dashboardUid__"]).to_owned(),
            text(&annotations["__panelId__"]).to_owned(),
        );
        assert!(panels.contains(&link), "{}: {link:?}", rule["title"]);
    }
}

#[test]
fn texts_of_rules_start_no_variable_and_handle_missing_data() {
    for rule in rules() {
        for value in rule["annotations"].as_object().expect("annotations").values().map(text) {
            // The only variables: compose.yaml sets both.
            let constant = value.replace("${RUNBOOK_URL}/", "").replace("${GRAFANA_URL}/", "");
            assert!(!constant.contains("${"), "{value}");
            let guarded = value.replace("{{ with $values.A }}", "");
            assert!(!guarded.contains("$values"), "{value}");
        }
    }
}

#[test]
fn data_sources_have_fixed_uids_one_default_and_links_that_resolve() {
    let document = yaml("grafana/provisioning/datasources/stack.yaml");
    let sources = list(&document["datasources"]);
    let uids: Vec<&str> = sources.iter().map(|source| text(&source["uid"])).collect();
    assert_eq!(uids, ["prometheus", "tempo", "loki"]);
    assert_eq!(sources.iter().filter(|source| source["isDefault"] == true).count(), 1);
    for source in sources {
        assert_eq!(source["editable"], false, "{}", source["uid"]);
        assert!(text(&source["url"]).starts_with("${"), "addresses come from the compose file");
        let data = &source["jsonData"];
        for link in [
            &data["tracesToLogsV2"]["datasourceUid"],
            &data["tracesToMetrics"]["datasourceUid"],
            &data["serviceMap"]["datasourceUid"],
            &data["exemplarTraceIdDestinations"][0]["datasourceUid"],
            &data["derivedFields"][0]["datasourceUid"],
        ] {
            assert!(link.is_null() || uids.contains(&text(link)), "{}: {link}", source["uid"]);
        }
    }
    let tempo = &sources[1]["jsonData"];
    assert_eq!(tempo["tracesToLogsV2"]["datasourceUid"], "loki");
    assert_eq!(tempo["tracesToMetrics"]["datasourceUid"], "prometheus");
    assert_eq!(sources[2]["jsonData"]["derivedFields"][0]["datasourceUid"], "tempo");
    assert_eq!(
        sources[0]["jsonData"]["timeInterval"],
        yaml("prometheus/prometheus.yml")["global"]["scrape_interval"]
    );
}

#[test]
fn the_dashboards_are_provided_into_the_folder_commandcenter() {
    let provider = &yaml("grafana/provisioning/dashboards/provider.yaml")["providers"][0];
    assert_eq!(provider["name"], "CommandCenter Dashboards");
    assert_eq!(provider["folder"], "CommandCenter");
    assert_eq!(provider["options"]["path"], "${DASHBOARDS_DIR}");
}

#[test]
fn both_forms_use_existing_receivers_and_the_timing_required_by_the_users() {
    let contacts = yaml("grafana/forms/contact-points.yaml");
    let alertmanager = yaml("alertmanager/form.yml");
    let policy = &yaml("grafana/forms/policies.yaml")["policies"][0];
    for (route, receivers) in
        [(policy, &contacts["contactPoints"]), (&alertmanager["route"], &alertmanager["receivers"])]
    {
        let names: Vec<&str> = list(receivers).iter().map(|it| text(&it["name"])).collect();
        for route in std::iter::once(route).chain(list(&route["routes"])) {
            assert!(names.contains(&text(&route["receiver"])), "{}", route["receiver"]);
        }
        let timing = |severity: &str| {
            let found = list(&route["routes"]).iter().find(|route| {
                route["receiver"] == "webhook-notifier"
                    && (route["object_matchers"][0] == json!(["severity", "=", severity])
                        || route["matchers"][0] == format!("severity=\"{severity}\""))
            });
            let route = found.unwrap_or_else(|| panic!("no route for {severity}"));
            ["group_wait", "group_interval", "repeat_interval"]
                .map(|key| text(&route[key]).to_owned())
        };
        assert_eq!(timing("critical"), ["10s", "1m", "1h"]);
        assert_eq!(timing("warning"), ["30s", "5m", "4h"]);
    }
    let escalation = |routes: &Value| {
        let found = list(routes).iter().find(|route| route["receiver"] == "escalation");
        found.cloned().expect("a route")
    };
    let (grafana, alertmanager) =
        (escalation(&policy["routes"]), escalation(&alertmanager["route"]["routes"]));
    let escalated = alerts::ESCALATED.join("|");
    assert_eq!(grafana["continue"], true, "the first receiver is notified as well");
    assert_eq!(grafana["object_matchers"][0][2], escalated);
    assert_eq!(alertmanager["matchers"][0], format!("alertname=~\"{escalated}\""));
}

#[test]
fn a_second_service_workflow_or_agent_in_trouble_forms_a_group_of_its_own() {
    for route in list(&yaml("grafana/forms/policies.yaml")["policies"][0]["routes"]) {
        if route["object_matchers"][0][2] == "critical" {
            for label in
                ["service_name", "instance", "workflow_id", "agent_id", "http_route", "slo"]
            {
                assert!(list(&route["group_by"]).contains(&label.into()), "{label}: {route}");
            }
        }
    }
}

#[test]
fn the_webhooks_secrets_come_from_files() {
    let settings = &yaml("grafana/forms/contact-points.yaml")["contactPoints"][0]["receivers"][0];
    assert_eq!(settings["uid"], "webhook_notifier");
    let settings = &settings["settings"];
    assert_eq!(settings["authorization_credentials"], "$__file{/run/secrets/webhook_token}");
    assert_eq!(settings["hmacConfig"]["secret"], "$__file{/run/secrets/webhook_hmac}");
}
