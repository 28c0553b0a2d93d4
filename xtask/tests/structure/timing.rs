//! Intervals and waits in the shipped configuration, which determine the delay of a notification.

use crate::{files, list, text, yaml};
use xtask::stack::{alert::Severity, alerts};

fn seconds(value: &str) -> u64 {
    let (number, unit) = value.split_at(value.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|error| panic!("{value}: {error}"));
    number
        * match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => panic!("{value}: neither s, m nor h"),
        }
}

/// Returns the evaluation intervals of a group in Prometheus and in Grafana.
fn intervals(group: &str) -> (u64, u64) {
    let of = |path: &str| {
        let document = yaml(path);
        let groups = list(&document["groups"]).to_vec();
        let found = groups
            .iter()
            .find(|it| it["name"] == group)
            .unwrap_or_else(|| panic!("{path}: no {group}"));
        seconds(text(&found["interval"]))
    };
    (
        of(&format!("prometheus/rules/{group}.rules.yml")),
        of("grafana/provisioning/alerting/rules.yaml"),
    )
}

#[test]
fn the_waits_before_a_notification_add_up_to_less_than_a_minute() {
    let scrape = seconds(text(&yaml("prometheus/prometheus.yml")["global"]["scrape_interval"]));
    let policies = yaml("grafana/forms/policies.yaml");
    let critical = list(&policies["policies"][0]["routes"])
        .iter()
        .find(|route| route["object_matchers"][0][2] == "critical")
        .expect("a route for critical alerts");
    let wait = seconds(text(&critical["group_wait"]));
    let mut checked = 0;
    for alert in alerts::all() {
        // Excluded: objectives, which are evaluated once a minute, and alerts with `for`.
        if alert.severity == Severity::Critical
            && alert.hold == "0s"
            && !["slo_alerts", "failing_alerts", "stack_alerts"].contains(&alert.group)
        {
            let (prometheus, grafana) = intervals(alert.group);
            let longest = scrape + prometheus + grafana + wait;
            assert!(longest <= 40, "{}: {longest} s", alert.name);
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked}");
}

#[test]
fn the_heartbeat_is_posted_every_minute() {
    let grafana = yaml("grafana/forms/policies.yaml");
    let alertmanager = yaml("alertmanager/form.yml");
    for routes in [&grafana["policies"][0]["routes"], &alertmanager["route"]["routes"]] {
        let route = list(routes).iter().find(|route| route["receiver"] == "heartbeat");
        let route = route.expect("a route for the heartbeat");
        let [interval, repeat] =
            ["group_interval", "repeat_interval"].map(|key| seconds(text(&route[key])));
        // Repeated at the first interval after `repeat_interval`, compared with `>`.
        assert_eq!((repeat / interval + 1) * interval, 60, "{route}");
        // A flush that is up to 10 s early must not skip a post.
        assert!(repeat <= 50, "{route}");
    }
}

#[test]
fn rules_that_count_each_minute_once_are_evaluated_after_its_samples_have_arrived() {
    let mut added_up = 0;
    for path in files("prometheus/rules", ".yml") {
        for group in list(&yaml(&path)["groups"]) {
            let adds_up = list(&group["rules"])
                .iter()
                .any(|rule| text(&rule["expr"]).contains("process_uptime_seconds < 120"));
            let waits = group["query_offset"].as_str().map_or(0, seconds);
            // Metrics are pushed every 10 s, batched, and retried after 1 s.
            assert_eq!(waits >= 20, adds_up, "{}: {waits} s", group["name"]);
            added_up += u32::from(adds_up);
        }
    }
    assert_eq!(added_up, 2);
}
