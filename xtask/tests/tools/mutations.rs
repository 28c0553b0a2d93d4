//! Rules that were broken on purpose: some case of the alert must notice.

use crate::promtool::{cases, checks, promtool};
use serde_json::Value;
use std::fs;
use std::path::Path;
use xtask::stack::rules;
use xtask::stack::{alert::Alert, alerts};

/// The alerts on levels; every other one is on counters.
const OF_LEVELS: [&str; 5] = [
    "ServiceDown",
    "HighMemoryUsage",
    "ApprovalBacklog",
    "StackComponentDown",
    "CollectorQueueFilling",
];

/// The rule files of these alerts, each changed as a text, under the cases that name this one alert: whether one fails.
fn noticed(name: &str, alerts: &[Alert], change: impl Fn(&str) -> String) -> bool {
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

/// The alerts on counters.
fn counters() -> impl Iterator<Item = &'static str> {
    alerts::all().into_iter().map(|alert| alert.name).filter(|name| !OF_LEVELS.contains(name))
}

#[track_caller]
fn all_noticed(unnoticed: &[String]) {
    assert!(unnoticed.is_empty(), "no case notices: {}", unnoticed.join(", "));
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn nothing_is_noticed_where_nothing_was_changed() {
    for alert in alerts::all() {
        assert!(!noticed(alert.name, &alerts::all(), unchanged), "{}", alert.name);
    }
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn a_threshold_that_is_taken_away_or_raised_tenfold_makes_a_case_fail() {
    let mut unnoticed = Vec::new();
    for alert in alerts::all() {
        if !noticed(alert.name, &with(alert.name, |alert| alert.threshold = None), unchanged) {
            unnoticed.push(format!("{} without its threshold", alert.name));
        }
        let tenfold =
            |alert: &mut Alert| alert.threshold = alert.threshold.map(|threshold| threshold * 10.0);
        if !noticed(alert.name, &with(alert.name, tenfold), unchanged) {
            unnoticed.push(format!("{} with ten times its threshold", alert.name));
        }
    }
    all_noticed(&unnoticed);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn an_alert_that_waits_ten_hours_makes_a_case_fail() {
    let unnoticed: Vec<String> = alerts::all()
        .iter()
        .filter(|alert| {
            !noticed(alert.name, &with(alert.name, |alert| alert.hold = "10h"), unchanged)
        })
        .map(|alert| alert.name.to_owned())
        .collect();
    all_noticed(&unnoticed);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn without_what_counts_births_a_case_fails_for_every_alert_on_a_counter() {
    // No process is known to be young or watched: what is left is `increase` alone.
    let blind = |rules: &str| {
        rules
            .replace("otelcol_process_uptime_seconds_total", "process_never_seconds")
            .replace("process_uptime_seconds", "process_never_seconds")
            .replace("process_start_time_seconds", "process_never_seconds")
    };
    let unnoticed: Vec<String> = counters()
        .filter(|name| !noticed(name, &alerts::all(), blind))
        .map(str::to_owned)
        .collect();
    all_noticed(&unnoticed);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn where_every_process_passes_for_a_young_one_a_case_fails_for_every_alert_on_a_counter() {
    // A counter that is merely seen late would count from zero.
    let credulous = |rules: &str| {
        ["60", "120", "300", "600"].iter().fold(rules.to_owned(), |rules, seconds| {
            rules.replace(&format!(" < {seconds} or"), " < 1e12 or")
        })
    };
    let unnoticed: Vec<String> = counters()
        .filter(|name| !noticed(name, &alerts::all(), credulous))
        .map(str::to_owned)
        .collect();
    all_noticed(&unnoticed);
}
