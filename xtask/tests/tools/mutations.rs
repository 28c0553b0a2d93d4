//! Mutations of the rules: at least one case of the affected alert must fail.

use crate::promtool::{cases, checks, promtool};
use serde_json::Value;
use std::fs;
use std::path::Path;
use xtask::stack::rules;
use xtask::stack::{alert::Alert, alerts};

/// Alerts on gauges. All other alerts are on counters.
const ON_GAUGES: [&str; 5] = [
    "ServiceDown",
    "HighMemoryUsage",
    "ApprovalBacklog",
    "StackComponentDown",
    "CollectorQueueFilling",
];

/// Runs the cases of one alert on changed rule files, and reports whether a case fails.
fn is_detected(name: &str, alerts: &[Alert], change: impl Fn(&str) -> String) -> bool {
    let group =
        alerts.iter().find(|alert| alert.name == name).map(|alert| alert.group).expect(name);
    let folder = tempfile::tempdir().expect("a folder");
    for inner in ["rules", "tests"] {
        fs::create_dir(folder.path().join(inner)).expect("a folder");
    }
    for file in rules::files(alerts) {
        let name = Path::new(&file.path).file_name().expect("a name").to_owned();
        fs::write(folder.path().join("rules").join(name), change(&file.content)).expect("written");
    }
    let test = format!("tests/{group}.test.yml");
    let mut document = cases(&test);
    document["tests"].as_array_mut().expect("cases").retain(|case| concerns(case, name));
    fs::write(folder.path().join(&test), serde_yaml_ng::to_string(&document).expect("YAML"))
        .expect("written");
    assert!(!document["tests"].as_array().expect("cases").is_empty(), "{name}: no case");
    !promtool(&["test", "rules", &test], folder.path()).status.success()
}

/// Reports whether a case checks the alert.
fn concerns(case: &Value, name: &str) -> bool {
    checks(case).any(|check| check["expr"] == "ALERTS" || check.to_string().contains(name))
}

fn with(name: &str, change: impl Fn(&mut Alert)) -> Vec<Alert> {
    let mut alerts = alerts::all();
    change(alerts.iter_mut().find(|alert| alert.name == name).expect("an alert of that name"));
    alerts
}

fn unchanged(text: &str) -> String {
    text.to_owned()
}

/// Returns the alerts on counters.
fn counters() -> impl Iterator<Item = &'static str> {
    alerts::all().into_iter().map(|alert| alert.name).filter(|name| !ON_GAUGES.contains(name))
}

#[track_caller]
fn assert_all_detected(undetected: &[String]) {
    assert!(undetected.is_empty(), "no case detects: {}", undetected.join(", "));
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn no_case_fails_with_unchanged_rules() {
    for alert in alerts::all() {
        assert!(!is_detected(alert.name, &alerts::all(), unchanged), "{}", alert.name);
    }
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn a_threshold_that_is_removed_or_raised_tenfold_makes_a_case_fail() {
    let mut undetected = Vec::new();
    for alert in alerts::all() {
        if !is_detected(alert.name, &with(alert.name, |alert| alert.threshold = None), unchanged) {
            undetected.push(format!("{} without its threshold", alert.name));
        }
        let tenfold =
            |alert: &mut Alert| alert.threshold = alert.threshold.map(|threshold| threshold * 10.0);
        if !is_detected(alert.name, &with(alert.name, tenfold), unchanged) {
            undetected.push(format!("{} with ten times its threshold", alert.name));
        }
    }
    assert_all_detected(&undetected);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn an_alert_with_a_for_clause_of_ten_hours_makes_a_case_fail() {
    let undetected: Vec<String> = alerts::all()
        .iter()
        .filter(|alert| {
            !is_detected(alert.name, &with(alert.name, |alert| alert.hold = "10h"), unchanged)
        })
        .map(|alert| alert.name.to_owned())
        .collect();
    assert_all_detected(&undetected);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn if_new_series_are_not_counted_a_case_fails_for_every_alert_on_a_counter() {
    // Without the age of the process, only `increase` remains.
    let without_process_age = |rules: &str| {
        rules
            .replace("otelcol_process_uptime_seconds_total", "process_never_seconds")
            .replace("process_uptime_seconds", "process_never_seconds")
            .replace("process_start_time_seconds", "process_never_seconds")
    };
    let undetected: Vec<String> = counters()
        .filter(|name| !is_detected(name, &alerts::all(), without_process_age))
        .map(str::to_owned)
        .collect();
    assert_all_detected(&undetected);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn if_every_process_counts_as_new_a_case_fails_for_every_alert_on_a_counter() {
    // A counter whose first scrape is late would count from zero.
    let with_unlimited_age = |rules: &str| {
        ["60", "120", "300", "600"].iter().fold(rules.to_owned(), |rules, seconds| {
            rules.replace(&format!(" < {seconds} or"), " < 1e12 or")
        })
    };
    let undetected: Vec<String> = counters()
        .filter(|name| !is_detected(name, &alerts::all(), with_unlimited_age))
        .map(str::to_owned)
        .collect();
    assert_all_detected(&undetected);
}
