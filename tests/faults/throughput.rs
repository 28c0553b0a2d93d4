//! Slow and fast Collectors: the counts are exact and the program is not slowed down.

use crate::children::{growth, printed, start_with};
use crate::support::{each, figure};
use hub_otel_tests::process::Process;
use hub_otel_tests::program::Transport;
use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
use std::time::Duration;

/// Runs the paced program with a receiver that responds after `delay`.
fn paced(
    rate: u64,
    seconds: u64,
    delay: Duration,
    transport: Transport,
) -> (Receiver, Process, u64) {
    let receiver = Receiver::counting();
    if delay > Duration::ZERO {
        receiver.decide(move |request| match request.signal {
            Signal::Traces => Behaviour::AcceptAfter(delay),
            _ => Behaviour::Accept,
        });
    }
    let arguments = [rate.to_string(), seconds.to_string()];
    // The default schedule.
    let delays = [("OTEL_BSP_SCHEDULE_DELAY", "1000"), ("OTEL_METRIC_EXPORT_INTERVAL", "10000")];
    let mut child = start_with(
        "paced",
        &receiver.endpoint(),
        transport,
        &[&arguments[0], &arguments[1]],
        &delays,
    );
    let growth = growth(&mut child);
    (receiver, child, growth)
}

/// Asserts that the counts match the received items.
#[track_caller]
fn assert_exact(receiver: &Receiver, child: &Process, sent: u64) -> u64 {
    let line = child
        .stdout()
        .lines()
        .find(|line| line.starts_with("traces "))
        .unwrap_or_default()
        .to_owned();
    let numbers: Vec<u64> =
        line.split(' ').skip(1).filter_map(|number| number.parse().ok()).collect();
    let [ended, ok, lost] = numbers[..] else { panic!("{}", child.stdout()) };
    assert_eq!((ended, ok + lost), (sent, sent), "{}", child.stdout());
    assert_eq!(receiver.distinct_spans() as u64, ok, "{}", child.stdout());
    lost
}

fn slow_receiver(seconds: u64) {
    each(Transport::BOTH, |transport| {
        let (receiver, child, _) = paced(20_000, seconds, Duration::from_millis(100), transport);
        let lost = assert_exact(&receiver, &child, 20_000 * seconds);
        let warnings = child
            .stderr()
            .lines()
            .filter(|line| line.starts_with("[OpenTelemetry] the queue of"))
            .count();
        assert!(warnings <= 2, "{}", child.stderr());
        figure(
            &format!("20,000 spans/s into a 100 ms receiver for {seconds} s, {transport:?}"),
            format!("ledger exact, {lost} lost, {warnings} warnings"),
        );
    });
}

#[test]
fn a_receiver_that_takes_100_ms_leaves_the_counts_exact() {
    slow_receiver(3);
}

#[test]
#[ignore = "compares processor times: `just faults`"]
fn a_receiver_that_takes_100_ms_costs_the_application_less_than_a_twentieth() {
    slow_receiver(20);
    let processor = |delay| {
        let (_receiver, child, _) = paced(20_000, 5, delay, Transport::Grpc);
        printed(&child, "processor") as f64
    };
    // Alternating, the best of each: the machine is shared.
    let rounds: Vec<_> = (0..4)
        .map(|_| (processor(Duration::ZERO), processor(Duration::from_millis(100))))
        .collect();
    let best = |of: fn(&(f64, f64)) -> f64| rounds.iter().map(of).fold(f64::INFINITY, f64::min);
    let slower = best(|round| round.1) / best(|round| round.0) - 1.0;
    figure(
        "20,000 spans/s into a 100 ms receiver: the application",
        format!("{:+.1} % processor time", slower * 100.0),
    );
    assert!(slower <= 0.05, "{rounds:?}");
}

fn fast_receiver(rate: u64, seconds: u64) {
    // Sequential, so that each has the machine to itself.
    for transport in Transport::BOTH {
        let (receiver, child, growth) = paced(rate, seconds, Duration::ZERO, transport);
        let lost = assert_exact(&receiver, &child, rate * seconds);
        let text = child.stdout();
        let ended = text.lines().find(|line| line.starts_with("ended ")).unwrap_or_default();
        let peak = printed(&child, "peak");
        figure(
            &format!("{rate} spans/s for {seconds} s, {transport:?}"),
            format!("{lost} lost, RSS {} MiB (+{} MiB), {ended}", peak >> 20, growth >> 20),
        );
        assert_eq!(lost, 0, "{text}");
        assert!(peak <= 100 << 20, "{text}");
    }
}

#[test]
fn five_thousand_spans_a_second_go_through_without_a_drop() {
    fast_receiver(5_000, 3);
}

#[test]
#[ignore = "needs optimisation: `just faults`"]
fn fifty_thousand_spans_a_second_go_through_without_a_drop() {
    fast_receiver(50_000, 20);
}
