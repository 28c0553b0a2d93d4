//! A shutdown with a full queue: items are delivered until the deadline, the others counted as
//! lost.

use crate::support::{DEADLINE, assert_in_time, bar, each, figure};
use hub_otel_tests::poll;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
use std::time::Duration;

/// The backlog of an outage of two minutes at 100 items a second.
const BACKLOG: u64 = 12_000;

/// Starts a program with a backlog: its Collector was reached once and is unavailable.
fn behind(receiver: &Receiver, transport: Transport) -> Program {
    let builder = hub_otel::Telemetry::builder().shutdown_timeout(bar(DEADLINE));
    let mut program =
        Program::build(builder, &receiver.endpoint(), transport, &[]).expect("valid settings");
    program.emit(10);
    poll::until(Duration::from_secs(20), || {
        program.report().traces.ok == 10 && program.report().logs.ok == 10
    });
    receiver.stop();
    program.emit(BACKLOG);
    program
}

#[test]
fn a_backlog_without_a_collector_is_lost_exactly_and_none_of_it_is_pending() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        let stopped = behind(&receiver, transport).stop();
        assert_in_time(&stopped);
        stopped.assert_balanced();
        for part in [&stopped.report.traces, &stopped.report.logs] {
            assert_eq!(part.ok, 10, "{}", stopped.report);
            assert_eq!(part.dropped.get("shutdown_deadline"), Some(&BACKLOG), "{}", stopped.report);
        }
        figure(
            &format!("backlog of {BACKLOG}, Collector away, {transport:?}"),
            format!("{:?}, {}", stopped.took, stopped.report),
        );
    });
}

#[test]
fn a_backlog_is_delivered_within_the_deadline_by_a_collector_that_is_back() {
    // Without optimisation, JSON of that many items takes longer than the deadline to be made.
    let transports = if cfg!(debug_assertions) { &Transport::BOTH[..] } else { &Transport::ALL };
    each(transports.iter().copied(), |transport| {
        let receiver = Receiver::start();
        let program = behind(&receiver, transport);
        // Three rounds of these, and the deadline is over.
        let slow = bar(Duration::from_millis(1_500));
        receiver.decide(move |request| match request.signal {
            Signal::Metrics => Behaviour::Accept,
            _ => Behaviour::AcceptAfter(slow),
        });
        receiver.resume();
        let stopped = program.stop();
        stopped.assert_delivered(&receiver);
        figure(
            &format!("backlog of {BACKLOG}, Collector back with 1.5 s a request, {transport:?}"),
            format!("{:?}, 0 lost", stopped.took),
        );
    });
}

#[test]
fn a_shutdown_with_a_busy_export_thread_reports_every_item_as_lost_or_delivered() {
    let receiver = Receiver::start();
    // The sleep simulates an export thread that is busy beyond the deadline.
    let builder = hub_otel::Telemetry::builder()
        .before_export(|_| std::thread::sleep(Duration::from_secs(3)))
        .shutdown_timeout(Duration::from_millis(300));
    let mut program = Program::build(builder, &receiver.endpoint(), Transport::Grpc, &[])
        .expect("valid settings");
    program.emit(1_000);
    let stopped = program.stop();
    stopped.assert_balanced();
    assert!(stopped.took <= bar(Duration::from_millis(550)), "{:?}", stopped.took);
    assert_eq!(
        stopped.report.traces.dropped.get("shutdown_deadline"),
        Some(&1_000),
        "{}",
        stopped.report
    );
}
