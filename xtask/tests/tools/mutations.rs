//! Mutations of the rules: at least one case of the affected alert must fail.

use crate::promtool::{cases, checks};
use crate::pruned::{RuleFile, concerns, failure, name_of};
use serde_json::Value;
use xtask::stack::alert::{Alert, Severity};
use xtask::stack::rules;
use xtask::stack::{adaptive, alerts};

/// Alerts on gauges. All other alerts are on counters.
const ON_GAUGES: [&str; 10] = [
    "ServiceDown",
    "ServiceRestarting",
    "WorkflowStuck",
    "CountedTwice",
    "Watchdog",
    "PrometheusDiskFilling",
    "HighMemoryUsage",
    "ApprovalBacklog",
    "StackComponentDown",
    "CollectorQueueFilling",
];

/// Runs the cases of one alert on changed rules until one fails, and reports whether one does.
fn is_detected(name: &str, alerts: &[Alert], change: impl Fn(&str) -> String) -> bool {
    let cases = cases_of(name);
    assert!(!cases.is_empty(), "{name}: no case");
    cases.iter().any(|case| !passes(case, alerts, &change))
}

/// Returns the cases of an alert, each as a file of its own, the shortest first.
fn cases_of(name: &str) -> Vec<Value> {
    let group = alerts::all().into_iter().find(|alert| alert.name == name).expect(name).group;
    let file = cases(&format!("tests/{group}.test.yml"));
    let mut found = file["tests"].as_array().expect("cases").clone();
    found.retain(|case| concerns(case, name));
    found.sort_by_key(|case| checks(case).map(|check| minutes(&check["eval_time"])).max());
    found
        .into_iter()
        .map(|case| {
            let mut alone = file.clone();
            alone["tests"] = Value::from(vec![case]);
            alone
        })
        .collect()
}

/// Returns the whole minutes of a time such as `90s` or `12m`.
fn minutes(time: &Value) -> u64 {
    let time = time.as_str().expect("a time");
    let (number, unit) = time.split_at(time.find(char::is_alphabetic).expect("a unit"));
    let number: u64 = number.parse().expect("a number");
    match unit {
        "s" => number / 60,
        "m" => number,
        "h" => number * 60,
        "d" => number * 60 * 24,
        // Several units, such as 1h30m.
        _ => u64::MAX,
    }
}

/// Runs one case on changed rules.
fn passes(file: &Value, alerts: &[Alert], change: impl Fn(&str) -> String) -> bool {
    let changed = |path: &Value| -> RuleFile {
        let name = name_of(path);
        let group = name.strip_suffix(".rules.yml").expect("a rule file");
        (name.to_owned(), change(&rules::file_of(group, alerts).expect(group).content))
    };
    let files: Vec<RuleFile> =
        file["rule_files"].as_array().expect("rule files").iter().map(changed).collect();
    failure(file, &files).is_none()
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
fn with_unchanged_rules_the_shortest_case_of_each_alert_passes() {
    // That all cases pass is a test of its own.
    for alert in alerts::all() {
        assert!(passes(&cases_of(alert.name)[0], &alerts::all(), unchanged), "{}", alert.name);
    }
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn a_threshold_that_is_removed_or_raised_tenfold_makes_a_case_fail() {
    let mut undetected = Vec::new();
    for alert in alerts::all() {
        // Watchdog fires always.
        if alert.severity != Severity::None
            && !is_detected(
                alert.name,
                &with(alert.name, |alert| alert.threshold = None),
                unchanged,
            )
        {
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
        ["60", "120", "300", "600", "900", "3600"]
            .iter()
            .fold(rules.to_owned(), |rules, seconds| {
                rules.replace(&format!(" < {seconds} or"), " < 1e12 or")
            })
    };
    let undetected: Vec<String> = counters()
        .filter(|name| !is_detected(name, &alerts::all(), with_unlimited_age))
        .map(str::to_owned)
        .collect();
    assert_all_detected(&undetected);
}

/// Joins the lines of each expression, so that a text in it can be replaced.
fn joined(rules: &str) -> String {
    let mut document: Value = serde_yaml_ng::from_str(rules).expect("YAML");
    for group in document["groups"].as_array_mut().expect("groups") {
        for rule in group["rules"].as_array_mut().expect("rules") {
            let lines = rule["expr"].as_str().expect("an expression").split_whitespace();
            rule["expr"] = lines.collect::<Vec<_>>().join(" ").into();
        }
    }
    serde_yaml_ng::to_string(&document).expect("YAML")
}

/// Clauses of the rules for low traffic: the case that needs it, the clause, and a text instead.
const CLAUSES: [(&str, &str, &str); 19] = [
    ("two failures, a third of the runs", ">= 3", ">= 2"),
    ("an hourly job that fails, whose series", ">= 3", ">= 4"),
    ("an hourly job that fails, whose series", "CANCELLED|REJECTED", "NONE"),
    ("an hourly job that fails, whose series", "[12h]", "[1h]"),
    ("a run every minute and one every ten minutes", "[15m]", "[1m]"),
    ("a run every minute and one every ten minutes", "[1h]", "[1m]"),
    ("a run every minute and one every ten minutes", "< 49", "< 0"),
    // Measured without a new failure.
    ("six failures in a minute", "[5m]", "[1h]"),
    ("an hourly job that is fixed and runs three times", "[5m]", "[12h]"),
    // Successes that end the alert too early, or not at all.
    ("an hourly job that fails every other time", "[3h]", "[30m]"),
    ("an hourly job that is fixed; it is over", "[3h]", "[11h]"),
    // Kept for a shorter or a longer time.
    ("three failures four hours apart", "percent_measured[12h]", "percent_measured[3h]"),
    ("failures without another run", "percent_measured[12h]", "percent_measured[3d]"),
    ("a run by hand that fails, and its repetition", " == ", " <= "),
    ("a nightly job that always fails", "[1d2h]", "[1d]"),
    ("a nightly job that always fails", "CANCELLED|REJECTED", "NONE"),
    ("a failure after a success that is too old", "[1d2h]", "[2d]"),
    ("an hourly job that always fails is reported by", "unless workflow:failures:percent", ""),
    ("cancelled runs, the notifier", "workflow_id!=\"alert-notification\"", "workflow_id!=\"\""),
];

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn a_clause_of_the_rules_for_low_traffic_that_is_replaced_makes_a_case_fail() {
    let group = rules::file_of(adaptive::GROUP, &alerts::all()).expect("the group").content;
    let undetected: Vec<String> = CLAUSES
        .iter()
        .filter(|(name, clause, other)| {
            assert!(joined(&group).contains(clause), "no {clause}");
            let change = |rules: &str| joined(rules).replace(clause, other);
            passes(&case_named(name), &alerts::all(), change)
        })
        .map(|(name, clause, other)| format!("`{other}` instead of `{clause}`: {name}"))
        .collect();
    assert_all_detected(&undetected);
}

#[test]
#[ignore = "needs promtool: observability/tools/build"]
fn without_its_hold_workflow_last_run_failed_fires_before_a_run_is_repeated() {
    let immediate = with("WorkflowLastRunFailed", |alert| alert.hold = "0s");
    assert!(!passes(&case_named("a run by hand that fails"), &immediate, unchanged));
}

/// Returns the case on rules for low traffic whose name begins with a text, as a file of its own.
fn case_named(start: &str) -> Value {
    let mut file = cases(&format!("tests/{}.test.yml", adaptive::GROUP));
    let all = file["tests"].as_array_mut().expect("cases");
    all.retain(|case| case["name"].as_str().expect("a name").starts_with(start));
    assert_eq!(all.len(), 1, "{start}");
    file
}
