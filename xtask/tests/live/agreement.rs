//! Compares the values of the panels with the service's database.

use crate::ledger::Ledger;
use crate::prometheus::Prometheus;
use crate::query::{self, Query};
use hub_otel_tests::receiver::{Receiver, Signal};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

struct Panels<'a> {
    prometheus: &'a Prometheus,
    queries: Vec<Query>,
}

impl<'a> Panels<'a> {
    fn of(prometheus: &'a Prometheus) -> Self {
        Self { prometheus, queries: query::all() }
    }

    fn panel(&self, title: &str) -> &Query {
        self.queries
            .iter()
            .find(|query| query.panel == title)
            .unwrap_or_else(|| panic!("no panel {title}"))
    }

    /// Returns the values of a panel, by label.
    fn last(&self, title: &str) -> BTreeMap<String, f64> {
        self.panel(title).run(self.prometheus, "0").last()
    }

    /// Returns the single value of a panel.
    fn only(&self, title: &str) -> Option<f64> {
        self.panel(title).run(self.prometheus, "0").only()
    }

    /// Returns the sums over the last hour of a panel with values per minute, without zeros.
    fn of_the_hour(&self, title: &str) -> BTreeMap<String, f64> {
        let values = self.panel(title).run_by_hour(self.prometheus).last();
        without_zeros(
            values.into_iter().map(|(labels, value)| (labels, (value * 60.0).round())).collect(),
        )
    }
}

/// Waits until the panel of active runs shows `runs`.
pub(crate) fn active(prometheus: &Prometheus, runs: f64) {
    let panels = Panels::of(prometheus);
    until("Active workflows", &Some(runs), || panels.only("Active workflows"));
}

pub(crate) fn agrees(prometheus: &Prometheus, ledger: &Ledger, rejected: u64) {
    let panels = Panels::of(prometheus);
    let runs = labelled("status", &ledger.runs);
    until("Runs by status", &runs, || without_zeros(panels.last("Runs by status")));
    until("Workflows per minute by status", &runs, || {
        panels.of_the_hour("Workflows per minute by status")
    });
    until("Failures by error type", &labelled("error_type", &ledger.failures), || {
        without_zeros(panels.last("Failures by error type"))
    });
    active(prometheus, 0.0);
    until("Approvals that wait", &Some(ledger.waiting), || panels.only("Approvals that wait"));

    let count = |status: &str| ledger.runs.get(status).copied().unwrap_or_default();
    let failed = count("FAILED") + count("TIMED_OUT");
    let rate = 100.0 * count("SUCCESS") / (count("SUCCESS") + failed);
    until("Success rate", &Some(rounded(rate)), || panels.only("Success rate").map(rounded));

    let agents: BTreeMap<String, f64> = ledger
        .agents
        .iter()
        .map(|(agent, (failed, all))| (format!("agent_id={agent}"), rounded(100.0 * failed / all)))
        .collect();
    until("Failure rate by agent", &agents, || {
        panels
            .last("Failure rate by agent")
            .into_iter()
            .map(|(agent, rate)| (agent, rounded(rate)))
            .collect()
    });

    until("Retries per minute by reason", &labelled("reason", &ledger.retries), || {
        panels.of_the_hour("Retries per minute by reason")
    });
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let rejected = rejected as f64;
    until("5xx per minute", &rejected, || {
        panels.of_the_hour("5xx per minute").values().sum::<f64>()
    });

    let all: f64 = ledger.runs.values().sum();
    until("Monthly executions", &Some(all), || panels.only("Monthly executions"));
}

/// Asserts that no telemetry is lost, and that the exporters delivered as many spans and log
/// records as the backends received.
pub(crate) fn nothing_lost(prometheus: &Prometheus, backends: &Receiver) {
    let panels = Panels::of(prometheus);
    let lost = without_zeros(panels.last("Telemetry lost"));
    assert!(lost.is_empty(), "{lost:?}");
    let title = "Exporter ledger: lost telemetry";
    let start = Instant::now();
    loop {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let passed_on =
            [("logs", Signal::Logs), ("traces", Signal::Traces)].map(|(name, signal)| {
                (format!("result=ok,signal={name}"), backends.stored(signal) as f64)
            });
        let mut delivered = panels.of_the_hour(title);
        // Metrics are sent to Prometheus, not to the receiver.
        delivered.remove("result=ok,signal=metrics");
        if delivered == BTreeMap::from(passed_on.clone()) {
            return;
        }
        assert!(
            start.elapsed() < MAX_DELAY,
            "{title}: received {passed_on:?}, the panel shows {delivered:?}"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Asserts fewer than 100 label combinations over the fixed metrics, without `le` and the labels of
/// the target.
pub(crate) fn few_series(prometheus: &Prometheus) {
    use hub_otel::semconv::{InstrumentKind, METRICS, Stability};
    let combinations: f64 = METRICS
        .iter()
        .filter(|metric| metric.stability == Stability::Fixed)
        .map(|metric| {
            let part = if metric.kind == InstrumentKind::Histogram { "_count" } else { "" };
            prometheus
                .instant(&format!("count({}{part})", metric.prometheus))
                .only()
                .unwrap_or_default()
        })
        .sum();
    eprintln!("{combinations} label combinations over the fixed metrics");
    assert!(combinations < 100.0, "{combinations}");
}

/// Maximum delay of a panel: a scrape and an evaluation of the slowest group, on a busy machine.
const MAX_DELAY: Duration = Duration::from_secs(240);

/// Polls a panel until it shows the expected value.
#[track_caller]
fn until<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, mut read: impl FnMut() -> T) {
    let start = Instant::now();
    loop {
        let found = read();
        if found == *expected {
            return;
        }
        assert!(
            start.elapsed() < MAX_DELAY,
            "{what}: expected {expected:?}, the panel shows {found:?}"
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
