//! Every panel of every dashboard, asked while the service works; then its numbers, compared with the service's own rows.

use crate::api::Api;
use crate::load::{Ledger, Load, MAX_RUNS, prepare};
use crate::prometheus::{Answer, Prometheus};
use crate::stack::{Collector, Configuration, Orchestrator, Way, is_quiet};
use hub_otel_tests::receiver::{Receiver, Signal};
use hub_otel_tests::{poll, ports};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};
use xtask::files::root;
use xtask::stack::expression::interpolated;

/// How long the load lasts at least.
const LOAD: Duration = Duration::from_secs(60);

/// A query of a panel.
struct Query {
    board: String,
    panel: String,
    letter: String,
    expression: String,
    instant: bool,
}

impl Query {
    fn name(&self) -> String {
        format!("{} / {} / {}", self.board, self.panel, self.letter)
    }

    /// One of the two is empty by design: minutes while a minute costs nothing, money otherwise.
    fn is_empty_by_design(&self, cost: &str) -> bool {
        self.expression.contains(if cost == "0" {
            "(vector($cost_per_minute) != 0)"
        } else {
            "(vector($cost_per_minute) == 0)"
        })
    }

    fn ask(&self, prometheus: &Prometheus, cost: &str) -> Answer {
        let variables = [
            ("$__rate_interval_ms", "40000"),
            ("$__rate_interval", "40s"),
            ("$__range_s", "900"),
            ("$__range", "15m"),
            ("$service", "orchestration-service"),
            ("$workflow", ".*"),
            ("$agent", ".*"),
            ("$cost_per_minute", cost),
        ];
        self.ask_with(prometheus, &variables)
    }

    fn ask_with(&self, prometheus: &Prometheus, variables: &[(&str, &str)]) -> Answer {
        let expression = interpolated(&self.expression, variables);
        if self.instant {
            prometheus.instant(&expression)
        } else {
            prometheus.range(&expression, Duration::from_secs(60))
        }
    }
}

fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    let folder = root().join("observability/grafana/dashboards");
    for entry in fs::read_dir(folder).expect("dashboards") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a dashboard");
        let board: Value = serde_json::from_str(&text).expect("JSON");
        for panel in board["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("targets") {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                queries.push(Query {
                    board: text(&board["title"]),
                    panel: text(&panel["title"]),
                    letter: text(&target["refId"]),
                    expression: text(&target["expr"]),
                    instant: target["instant"] == true,
                });
            }
        }
    }
    assert!(queries.len() > 50, "only {} queries", queries.len());
    queries
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn every_panel_answers_during_load_and_agrees_with_the_ledger_when_metrics_are_pulled() {
    check(Way::Pulled);
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn every_panel_answers_during_load_and_agrees_with_the_ledger_when_metrics_are_pushed() {
    check(Way::Pushed);
}

fn check(way: Way) {
    let backends = Receiver::counting();
    let metrics = ports::free();
    let scraped = (way == Way::Pulled).then_some(metrics);
    let configuration = Configuration::copied(&[("orchestration-service", scraped)]);
    let collector = Collector::start(&backends, configuration.port());
    configuration.target("otel-collector", Some(collector.metrics));
    let prometheus = configuration.start();
    let orchestrator = Orchestrator::start(&collector.grpc, way, metrics, &[("HUB_MAX_RUNS", MAX_RUNS)]);
    let api = Api::new(&orchestrator.url);
    prepare(&api);

    let load = Load::start(&api);
    let start = Instant::now();
    all_answer(&prometheus);
    // Long enough for every kind of run to come several times; then all of them once more, at once.
    std::thread::sleep(LOAD.saturating_sub(start.elapsed()));
    all_answer(&prometheus);
    let turned_away = load.stop();
    assert!(turned_away > 0, "the load never asked for too much");

    let ledger = Ledger::read(&api);
    eprintln!("{way:?}: {ledger:?}, {turned_away} turned away");
    assert!(
        ledger.runs.len() > 3 && ledger.failures.len() > 2 && ledger.waiting > 0.0,
        "too little load: {ledger:?}"
    );
    agrees(&prometheus, &ledger, turned_away);
    nothing_lost(&prometheus, &backends);
    few_series(&prometheus);
    is_quiet("the Collector", &collector.process);
    is_quiet("Prometheus", &prometheus.process);
}

/// Asks every panel again and again until each has answered with finite data, each time within a second.
fn all_answer(prometheus: &Prometheus) {
    let queries = queries();
    let start = Instant::now();
    for cost in ["0", "0.5"] {
        let mut open: Vec<&Query> = queries
            .iter()
            .filter(|query| !query.is_empty_by_design(cost))
            .filter(|query| cost == "0" || query.expression.contains("$cost_per_minute"))
            .collect();
        let mut slowest = Duration::ZERO;
        while !open.is_empty() {
            open.retain(|query| {
                let answer = query.ask(prometheus, cost);
                slowest = slowest.max(answer.took);
                assert!(answer.took < Duration::from_secs(1), "{} took {:?}", query.name(), answer.took);
                let values: Vec<f64> = answer.series.values().flatten().copied().collect();
                assert!(values.iter().all(|value| value.is_finite()), "{}: {values:?}", query.name());
                values.is_empty()
            });
            let late: Vec<String> = open.iter().map(|query| query.name()).collect();
            assert!(start.elapsed() < Duration::from_secs(240), "no data from: {}", late.join("; "));
            if !open.is_empty() {
                std::thread::sleep(Duration::from_secs(2));
            }
        }
        eprintln!(
            "every panel has data after {:?} of load, cost {cost}; the slowest answer took {slowest:?}",
            start.elapsed()
        );
    }
}

fn agrees(prometheus: &Prometheus, ledger: &Ledger, turned_away: u64) {
    let queries = queries();
    let panel = |title: &str| {
        queries.iter().find(|query| query.panel == title).unwrap_or_else(|| panic!("no {title}"))
    };
    let last = |title: &str| panel(title).ask(prometheus, "0").last();
    let only = |title: &str| panel(title).ask(prometheus, "0").only();

    let runs = labelled("status", &ledger.runs);
    until("Runs by status", &runs, || without_zeros(last("Runs by status")));
    until("Failures by error type", &labelled("error_type", &ledger.failures), || {
        let mut failures = last("Failures by error type");
        failures.remove("error_type=none");
        failures
    });
    until("Active workflows", &Some(0.0), || only("Active workflows"));
    until("Approvals that wait", &Some(ledger.waiting), || only("Approvals that wait"));

    let count = |status: &str| ledger.runs.get(status).copied().unwrap_or_default();
    let failed = count("FAILED") + count("TIMED_OUT");
    let rate = 100.0 * count("SUCCESS") / (count("SUCCESS") + failed);
    until("Success rate", &Some(rounded(rate)), || only("Success rate").map(rounded));

    let agents: BTreeMap<String, f64> = ledger
        .agents
        .iter()
        .map(|(agent, (failed, all))| (format!("agent_id={agent}"), rounded(100.0 * failed / all)))
        .collect();
    until("Failure rate by agent", &agents, || {
        last("Failure rate by agent").into_iter().map(|(agent, rate)| (agent, rounded(rate))).collect()
    });

    // Per minute over 10 minutes, ten times: all that happened.
    let total = |title: &str| {
        let ten_minutes = [
            ("$__rate_interval_ms", "600000"),
            ("$__rate_interval", "10m"),
            ("$service", "orchestration-service"),
            ("$agent", ".*"),
        ];
        let values = panel(title).ask_with(prometheus, &ten_minutes).last();
        values.values().map(|value| (value * 10.0).round()).sum::<f64>()
    };
    until("Retries per minute by reason", &ledger.retries, || total("Retries per minute by reason"));
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let turned_away = turned_away as f64;
    until("5xx per minute", &turned_away, || total("5xx per minute"));

    let all: f64 = ledger.runs.values().sum();
    until("Monthly executions", &Some(all), || only("Monthly executions"));
}

/// The ledger of the exporters: nothing lost, and as many spans delivered as the Collector passed on.
fn nothing_lost(prometheus: &Prometheus, backends: &Receiver) {
    let queries = queries();
    let lost = queries.iter().find(|query| query.panel == "Telemetry lost").expect("the panel");
    let lost = without_zeros(lost.ask(prometheus, "0").last());
    assert!(lost.is_empty(), "{lost:?}");
    let delivered = r#"sum(hub_otel_export_items_total{signal="traces", result="ok"})"#;
    poll::until(Duration::from_secs(60), || {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let stored = backends.stored(Signal::Traces) as f64;
        prometheus.instant(delivered).only() == Some(stored)
    });
}

/// Fewer than 100 label combinations over the fixed metrics, without `le` and the labels of the target.
fn few_series(prometheus: &Prometheus) {
    use hub_otel::contract::metric::FIXED;
    use hub_otel::contract::{Kind, METRICS};
    let combinations: f64 = METRICS
        .iter()
        .take(FIXED)
        .map(|metric| {
            let part = if metric.kind == Kind::Histogram { "_count" } else { "" };
            prometheus.instant(&format!("count({}{part})", metric.prometheus)).only().unwrap_or_default()
        })
        .sum();
    eprintln!("{combinations} label combinations over the fixed metrics");
    assert!(combinations < 100.0, "{combinations}");
}

/// Waits until a panel agrees: a scrape, or an evaluation, may be due yet.
#[track_caller]
fn until<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, mut ask: impl FnMut() -> T) {
    let start = Instant::now();
    loop {
        let found = ask();
        if found == *expected {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(90),
            "{what}: the rows say {expected:?}, the panel {found:?}"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn labelled(label: &str, counts: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    counts.iter().map(|(value, count)| (format!("{label}={value}"), *count)).collect()
}

fn without_zeros(values: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    values.into_iter().filter(|(_, value)| *value != 0.0).collect()
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
