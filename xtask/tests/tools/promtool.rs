//! Prometheus' own tool on the committed files, and on rules that were broken on purpose.
//!
//! Needs `.tools/bin/promtool`: `observability/tools/build`. `just stack-check` does both.
#![expect(clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use xtask::files::root;
use xtask::stack::alerts::{self, Alert};
use xtask::stack::rules;

fn promtool(arguments: &[&str], folder: &Path) -> Output {
    let program = root().join(".tools/bin/promtool");
    Command::new(&program)
        .args(arguments)
        .current_dir(folder)
        .env("ENVIRONMENT", "test")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run observability/tools/build", program.display()))
}

fn passes(arguments: &[&str], folder: &Path) -> String {
    let output = promtool(arguments, folder);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
    said
}

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

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn the_configuration_and_the_rules_are_valid_and_nothing_is_deprecated() {
    let said = passes(&["check", "config", "prometheus.yml"], &prometheus());
    // `init` writes that file on the machine where the stack runs.
    let said: String = said
        .lines()
        .filter(|line| !line.contains("targets/orchestration-service.yml"))
        .collect::<Vec<_>>()
        .join("\n");
    for word in ["deprecated", "WARN", "duplicate"] {
        assert!(!said.to_lowercase().contains(&word.to_lowercase()), "{said}");
    }
    for file in rules::files(&alerts::all()) {
        let path = root().join(&file.path);
        passes(&["check", "rules", "--lint-fatal", &path.to_string_lossy()], &prometheus());
    }
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn every_alert_fires_and_stays_quiet_as_its_cases_say() {
    let tests = tests();
    let arguments: Vec<&str> =
        ["test", "rules"].into_iter().chain(tests.iter().map(String::as_str)).collect();
    passes(&arguments, &prometheus());
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_stays_quiet() {
    let (mut firing, mut quiet): (BTreeMap<&str, u32>, BTreeMap<&str, u32>) = Default::default();
    let alerts = alerts::all();
    for test in tests() {
        let text = fs::read_to_string(prometheus().join(test)).expect("a test");
        let document: serde_json::Value = serde_yaml_ng::from_str(&text).expect("YAML");
        for case in document["tests"].as_array().expect("cases") {
            for check in ["promql_expr_test", "alert_rule_test"] {
                for check in case[check].as_array().into_iter().flatten() {
                    let (wanted, expected) = (check.to_string(), &check["exp_samples"]);
                    let expected = if expected.is_null() { &check["exp_alerts"] } else { expected };
                    let fires = !expected.as_array().expect("expected").is_empty();
                    for alert in
                        alerts.iter().filter(|alert| wanted.contains(alert.name) || check["expr"] == "ALERTS")
                    {
                        *if fires && wanted.contains(alert.name) { &mut firing } else { &mut quiet }
                            .entry(alert.name)
                            .or_default() += 1;
                    }
                }
            }
        }
    }
    for alert in &alerts {
        assert!(firing.contains_key(alert.name), "{}: no case that fires", alert.name);
        assert!(quiet.contains_key(alert.name), "{}: no case that stays quiet", alert.name);
    }
}

/// The rules with one alert changed, tested: whether a case of its group fails.
fn noticed(name: &str, change: impl Fn(&mut Alert)) -> bool {
    let mut alerts = alerts::all();
    let alert = alerts.iter_mut().find(|alert| alert.name == name).expect("an alert of that name");
    let group = alert.group;
    change(alert);
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("rules")).expect("a folder");
    fs::create_dir_all(folder.path().join("tests")).expect("a folder");
    for file in rules::files(&alerts) {
        let name = Path::new(&file.path).file_name().expect("a name").to_owned();
        fs::write(folder.path().join("rules").join(name), file.content).expect("written");
    }
    let test = format!("tests/{group}.test.yml");
    fs::copy(prometheus().join(&test), folder.path().join(&test)).expect("copied");
    !promtool(&["test", "rules", &test], folder.path()).status.success()
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn a_threshold_that_is_taken_away_or_raised_tenfold_makes_a_case_fail() {
    let mut unnoticed = Vec::new();
    for alert in alerts::all() {
        if !noticed(alert.name, |alert| alert.threshold = None) {
            unnoticed.push(format!("{} without its threshold", alert.name));
        }
        if !noticed(alert.name, |alert| alert.threshold = alert.threshold.map(|threshold| threshold * 10.0)) {
            unnoticed.push(format!("{} with ten times its threshold", alert.name));
        }
    }
    assert!(unnoticed.is_empty(), "no case notices: {}", unnoticed.join(", "));
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn an_alert_that_waits_ten_hours_makes_a_case_fail() {
    let unnoticed: Vec<&str> = alerts::all()
        .iter()
        .filter(|alert| !noticed(alert.name, |alert| alert.hold = "10h"))
        .map(|alert| alert.name)
        .collect();
    assert!(unnoticed.is_empty(), "no case notices: {}", unnoticed.join(", "));
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn without_what_counts_births_a_case_fails_for_every_counter_alert() {
    // What a newborn series counted, taken out of the recordings: `increase` alone.
    let group = |name: &str| {
        alerts::all().iter().find(|alert| alert.name == name).map(|alert| alert.group).expect(name)
    };
    for (name, file) in [
        ("WorkflowFailureRate", "workflow_alerts"),
        ("HighErrorRate", "system_alerts"),
        ("CollectorLoss", "stack_alerts"),
        ("ErrorBudgetBurnFast", "slo_alerts"),
    ] {
        assert_eq!(group(name), file);
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("rules")).expect("a folder");
        fs::create_dir_all(folder.path().join("tests")).expect("a folder");
        let rules = fs::read_to_string(prometheus().join(format!("rules/{file}.rules.yml"))).expect("rules");
        let blind = rules
            .replace("process_uptime_seconds", "process_never_seconds")
            .replace("otelcol_process_uptime_seconds_total", "process_never_seconds");
        assert_ne!(rules, blind);
        fs::write(folder.path().join(format!("rules/{file}.rules.yml")), blind).expect("written");
        let test = format!("tests/{file}.test.yml");
        fs::copy(prometheus().join(&test), folder.path().join(&test)).expect("copied");
        let output = promtool(&["test", "rules", &test], folder.path());
        assert!(!output.status.success(), "{file}: no case notices that births are not counted");
    }
}
