//! promtool on the committed configuration, rules and cases.

use crate::pruned::{RuleFile, concerns_all, failure, name_of};
use crate::{text_of, tool};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use xtask::files::root;
use xtask::stack::alert::Severity;
use xtask::stack::rules;
use xtask::stack::{alerts, dashboards};

pub(crate) fn promtool(arguments: &[&str], folder: &Path) -> Output {
    tool(
        "promtool",
        arguments,
        folder,
        &[("ENVIRONMENT", "test"), ("RUNBOOK_URL", "r"), ("GRAFANA_URL", "g")],
    )
}

fn passes(arguments: &[&str], folder: &Path) -> String {
    let output = promtool(arguments, folder);
    let text = text_of(&output);
    assert!(output.status.success(), "promtool {arguments:?}:\n{text}");
    text
}

/// Folder of the files of Prometheus.
fn prometheus() -> PathBuf {
    root().join("observability/prometheus")
}

fn tests() -> Vec<String> {
    let mut tests: Vec<String> = fs::read_dir(prometheus().join("tests"))
        .expect("tests")
        .map(|entry| format!("tests/{}", entry.expect("an entry").file_name().to_string_lossy()))
        .collect();
    tests.sort();
    tests
}

/// Reads a file of cases.
pub(crate) fn cases(file: &str) -> Value {
    let text = fs::read_to_string(prometheus().join(file)).expect("a test");
    serde_yaml_ng::from_str(&text).expect("YAML")
}

/// Returns all checks of a case, of both kinds.
pub(crate) fn checks(case: &Value) -> impl Iterator<Item = &Value> {
    ["promql_expr_test", "alert_rule_test"]
        .into_iter()
        .flat_map(|kind| case[kind].as_array().into_iter().flatten())
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn the_configuration_and_the_rules_are_valid_and_nothing_is_deprecated() {
    let output = passes(&["check", "config", "prometheus.yml"], &prometheus());
    // `init` writes this file, so it does not exist in the repository.
    let output: String = output
        .lines()
        .filter(|line| !line.contains("targets/orchestration-service.yml"))
        .collect::<Vec<_>>()
        .join("\n");
    for word in ["deprecated", "WARN", "duplicate"] {
        assert!(!output.to_lowercase().contains(&word.to_lowercase()), "{output}");
    }
    for file in rules::files(&alerts::all()) {
        let path = root().join(&file.path);
        passes(&["check", "rules", "--lint-fatal", &path.to_string_lossy()], &prometheus());
    }
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn all_cases_of_the_alerts_pass() {
    let mut failures = Vec::new();
    for test in tests() {
        let file = cases(&test);
        let rules: Vec<RuleFile> = file["rule_files"]
            .as_array()
            .expect("rule files")
            .iter()
            .map(|path| {
                let name = name_of(path);
                let text = fs::read_to_string(prometheus().join("rules").join(name));
                (name.to_owned(), text.expect("the rules"))
            })
            .collect();
        for case in file["tests"].as_array().expect("cases") {
            let mut alone = file.clone();
            alone["tests"] = Value::from(vec![case.clone()]);
            failures.extend(failure(&alone, &rules));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let (mut firing, mut quiet): (BTreeMap<&str, u32>, BTreeMap<&str, u32>) = Default::default();
    let alerts = alerts::all();
    for test in tests() {
        let document = cases(&test);
        for check in document["tests"].as_array().expect("cases").iter().flat_map(checks) {
            let (wanted, expected) = (check.to_string(), &check["exp_samples"]);
            let expected = if expected.is_null() { &check["exp_alerts"] } else { expected };
            let fires = !expected.as_array().expect("expected").is_empty();
            for alert in
                alerts.iter().filter(|alert| wanted.contains(alert.name) || concerns_all(check))
            {
                *if fires && wanted.contains(alert.name) { &mut firing } else { &mut quiet }
                    .entry(alert.name)
                    .or_default() += 1;
            }
        }
    }
    for alert in &alerts {
        assert!(firing.contains_key(alert.name), "{}: no case that fires", alert.name);
        let quiet = alert.severity == Severity::None || quiet.contains_key(alert.name);
        assert!(quiet, "{}: no case that stays quiet", alert.name);
    }
}

#[test]
fn every_alert_has_a_case_with_its_labels_and_annotations() {
    let alerts = alerts::all();
    let mut read: Vec<&str> = Vec::new();
    for test in tests() {
        let document = cases(&test);
        for check in document["tests"].as_array().expect("cases").iter().flat_map(checks) {
            for fired in check["exp_alerts"].as_array().into_iter().flatten() {
                let alert = alerts
                    .iter()
                    .find(|alert| check["alertname"] == alert.name)
                    .expect("an alert of that name");
                let (labels, texts) = (&fired["exp_labels"], &fired["exp_annotations"]);
                assert_eq!(labels["severity"], alert.severity.as_str(), "{}", alert.name);
                assert!(
                    labels.as_object().expect("labels").len() > 1,
                    "{}: only the label `severity`",
                    alert.name
                );
                assert_eq!(texts["description"], alert.description, "{}", alert.name);
                assert_eq!(
                    texts["runbook_url"],
                    alert.runbook_url("https://runbooks"),
                    "{}",
                    alert.name
                );
                let panel = dashboards::alert_panel(alert.name);
                let url = alert.panel_url("https://grafana", panel);
                let url = alert.filters().into_iter().fold(url, |url, (label, variable)| {
                    let template = format!(
                        "{{{{ with $labels.{label} }}}}&var-{variable}={{{{ . }}}}{{{{ end }}}}"
                    );
                    let value = labels[label].as_str();
                    let value = value.map(|value| format!("&var-{variable}={value}"));
                    url.replace(&template, &value.unwrap_or_default())
                });
                // The same panel in Perses, if its address is that of a project.
                let in_perses = url.replace(
                    &format!("https://grafana/d/alerts?viewPanel={panel}&from=now-3h&to=now"),
                    &format!(
                        "https://perses/projects/commandcenter/dashboards/alerts?start=3h\
                         &viewPanelRef=%7B%22ref%22%3A%22{panel}%22%7D"
                    ),
                );
                let found = texts["panel_url"].as_str().expect("a link");
                let expected = [url.as_str(), &in_perses];
                assert!(expected.contains(&found), "{}: {found}, not {expected:?}", alert.name);
                let summary = texts["summary"].as_str().expect("a summary");
                assert!(
                    !summary.contains("{{") && !summary.contains("no value"),
                    "{}: {summary}",
                    alert.name
                );
                read.push(alert.name);
            }
        }
    }
    for alert in &alerts {
        assert!(
            read.contains(&alert.name),
            "{}: no case with its labels and annotations",
            alert.name
        );
    }
}
