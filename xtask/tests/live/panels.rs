//! Queries of all panels under load, and comparison of their values with the service's database.

use crate::agreement;
use crate::api::Api;
use crate::ledger::Ledger;
use crate::load::{self, Load, MAX_RUNS, ROUNDS, prepare};
use crate::prometheus::Prometheus;
use crate::query::{self, OF_CHATS, OF_SAMPLER, OF_TEMPO, Query};
use crate::stack::{Collector, Configuration, Orchestrator, Way};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{poll, ports};
use std::time::{Duration, Instant};

/// Minimum duration of the load: six scrapes.
const LOAD: Duration = Duration::from_secs(60);

/// Expected maximum duration of the query of a panel.
const MAX_LATENCY: Duration = Duration::from_secs(1);

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn every_panel_has_data_under_load_and_matches_the_database_with_scraped_metrics() {
    check(Way::Scraped);
}

#[test]
#[ignore = "needs the real binaries: just stack-live"]
fn every_panel_has_data_under_load_and_matches_the_database_with_pushed_metrics() {
    check(Way::Pushed);
}

fn check(way: Way) {
    let backends = Receiver::counting();
    // Reserved until the orchestrator, which starts last, listens on it.
    let metrics = ports::Closed::new();
    let scraped = (way == Way::Scraped).then_some(metrics.port());
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
    assert_all_have_data(way, &prometheus);
    // Long enough for every kind of run to come several times; then all of them once more, at once.
    poll::until(Duration::from_secs(300), || load.rounds() >= ROUNDS && start.elapsed() >= LOAD);
    assert_all_have_data(way, &prometheus);
    let (accepted, rejected) = load.stop();
    assert!(rejected > 0, "the load never exceeded the limit of concurrent runs");

    Ledger::read(&api);
    let held = load::hold(&api, 3);
    agreement::active(&prometheus, 3.0);
    held.iter().for_each(|run| api.cancel(run));

    let ledger = Ledger::read(&api);
    eprintln!("{way:?}: {ledger:?}, {rejected} rejected");
    assert!(
        ledger.runs.len() > 4
            && ledger.failures.len() > 2
            && ledger.waiting > 0.0
            && ledger.retries.len() == 2,
        "too little load: {ledger:?}"
    );
    assert_eq!(ledger.stored, accepted + 3, "a run was stored for each request that was accepted");
    agreement::agrees(&prometheus, &ledger, rejected);
    agreement::nothing_lost(&prometheus, &backends);
    agreement::few_series(&prometheus);
    collector.process.assert_no_warnings("the Collector");
    prometheus.process.assert_no_warnings("Prometheus");
}

/// Queries every panel until each has returned finite values.
///
/// The test fails if a query takes more than three times [`MAX_LATENCY`], because other tests share
/// the machine. The slowest query is printed.
fn assert_all_have_data(way: Way, prometheus: &Prometheus) {
    let queries = query::all();
    let start = Instant::now();
    for cost in ["0", "0.5"] {
        let mut open: Vec<&Query> = queries
            .iter()
            .filter(|query| !OF_TEMPO.contains(&&*query.panel))
            .filter(|query| !OF_SAMPLER.contains(&&*query.panel))
            .filter(|query| !OF_CHATS.contains(&&*query.panel))
            .filter(|query| !query.needs_models())
            .filter(|query| !query.is_empty_by_design(cost))
            .filter(|query| cost == "0" || query.expression.contains("$cost_per_minute"))
            .collect();
        let mut slowest = (Duration::ZERO, String::new());
        while !open.is_empty() {
            open.retain(|query| {
                let answer = query.run(prometheus, cost);
                assert!(answer.took < 3 * MAX_LATENCY, "{} took {:?}", query.name(), answer.took);
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
            "{way:?}, cost {cost}: every panel has data after {:?} of load; the slowest query took {:?} (limit {MAX_LATENCY:?}): {}",
            start.elapsed(),
            slowest.0,
            slowest.1
        );
    }
}
