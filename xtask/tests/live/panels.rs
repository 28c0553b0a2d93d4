//! Every panel of every dashboard, asked while the service works; then its numbers, compared with the service's own rows.

use crate::agreement;
use crate::api::Api;
use crate::ledger::Ledger;
use crate::load::{self, Load, MAX_RUNS, ROUNDS, prepare};
use crate::prometheus::Prometheus;
use crate::query::{self, OF_TEMPO, Query};
use crate::stack::{Collector, Configuration, Orchestrator, Way};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{poll, ports};
use std::time::{Duration, Instant};

/// How long the load lasts at least: six scrapes.
const LOAD: Duration = Duration::from_secs(60);

/// How long a panel may take to answer.
const BAR: Duration = Duration::from_secs(1);

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
    // Held until the orchestrator, which starts last, listens there.
    let metrics = ports::Closed::new();
    let scraped = (way == Way::Pulled).then_some(metrics.port());
    let configuration = Configuration::copied(&[("orchestration-service", scraped)]);
    let collector = Collector::start(&backends, configuration.port());
    configuration.target("otel-collector", Some(collector.metrics));
    let prometheus = configuration.start();
    let orchestrator =
        Orchestrator::start(&collector.grpc, way, metrics.port(), &[("HUB_MAX_RUNS", MAX_RUNS)]);
    let api = Api::new(&orchestrator.url);
    prepare(&api);

    let load = Load::start(&api);
    let start = Instant::now();
    all_answer(way, &prometheus);
    // Long enough for every kind of run to come several times; then all of them once more, at once.
    poll::until(Duration::from_secs(300), || load.rounds() >= ROUNDS && start.elapsed() >= LOAD);
    all_answer(way, &prometheus);
    let (accepted, turned_away) = load.stop();
    assert!(turned_away > 0, "the load never asked for too much");

    Ledger::read(&api);
    let held = load::hold(&api, 3);
    agreement::active(&prometheus, 3.0);
    held.iter().for_each(|run| api.cancel(run));

    let ledger = Ledger::read(&api);
    eprintln!("{way:?}: {ledger:?}, {turned_away} turned away");
    assert!(
        ledger.runs.len() > 4
            && ledger.failures.len() > 2
            && ledger.waiting > 0.0
            && ledger.retries.len() == 2,
        "too little load: {ledger:?}"
    );
    assert_eq!(ledger.stored, accepted + 3, "a run was stored for each request that was accepted");
    agreement::agrees(&prometheus, &ledger, turned_away);
    agreement::nothing_lost(&prometheus, &backends);
    agreement::few_series(&prometheus);
    collector.process.assert_no_warnings("the Collector");
    prometheus.process.assert_no_warnings("Prometheus");
}

/// Asks every panel again and again until each has answered with finite data, each time soon.
///
/// The bar is one second; three are an error here, where other tests share the machine. The slowest is printed.
fn all_answer(way: Way, prometheus: &Prometheus) {
    let queries = query::all();
    let start = Instant::now();
    for cost in ["0", "0.5"] {
        let mut open: Vec<&Query> = queries
            .iter()
            .filter(|query| !OF_TEMPO.contains(&&*query.panel))
            .filter(|query| !query.is_empty_by_design(cost))
            .filter(|query| cost == "0" || query.expression.contains("$cost_per_minute"))
            .collect();
        let mut slowest = (Duration::ZERO, String::new());
        while !open.is_empty() {
            open.retain(|query| {
                let answer = query.ask(prometheus, cost);
                assert!(answer.took < 3 * BAR, "{} took {:?}", query.name(), answer.took);
                if answer.took > slowest.0 {
                    slowest = (answer.took, query.name());
                }
                let values: Vec<f64> = answer.series.values().flatten().copied().collect();
                assert!(
                    values.iter().all(|value| value.is_finite()),
                    "{}: {values:?}",
                    query.name()
                );
                values.is_empty()
            });
            let late: Vec<String> = open.iter().map(|query| query.name()).collect();
            assert!(
                start.elapsed() < Duration::from_secs(360),
                "no data from: {}",
                late.join("; ")
            );
            if !open.is_empty() {
                std::thread::sleep(Duration::from_secs(2));
            }
        }
        eprintln!(
            "{way:?}, cost {cost}: every panel has data after {:?} of load; the slowest answer took {:?} (bar {BAR:?}): {}",
            start.elapsed(),
            slowest.0,
            slowest.1
        );
    }
}
