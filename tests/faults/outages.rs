//! Outages of the Collector: nothing is lost while the queue has room.

use crate::support::{bar, each, figure};
use hub_otel_tests::poll;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::proxy::{Link, Proxy};
use hub_otel_tests::receiver::Receiver;
use std::time::{Duration, Instant};

const PER_SECOND: u64 = 100;

fn outage(length: Duration) {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        let mut program = Program::start(&receiver.endpoint(), transport);
        program.emit_steadily(PER_SECOND, Duration::from_secs(1));
        receiver.stop();
        program.emit_steadily(PER_SECOND, length);
        receiver.resume();
        let back = Instant::now();
        let kept = program.sent();
        poll::until(bar(Duration::from_secs(20)), || {
            program.report().traces.ok >= kept && program.report().logs.ok >= kept
        });
        let caught_up = back.elapsed();
        program.emit_steadily(PER_SECOND, Duration::from_secs(1));
        let stopped = program.stop();
        stopped.assert_delivered(&receiver);
        figure(
            &format!("outage of {length:?}, {transport:?}"),
            format!("0 lost of {} spans; caught up {caught_up:?} after its end", stopped.sent),
        );
    });
}

#[test]
fn an_outage_of_two_seconds_loses_nothing() {
    outage(Duration::from_secs(2));
}

#[test]
fn an_outage_of_ten_seconds_loses_nothing() {
    outage(Duration::from_secs(10));
}

#[test]
#[ignore = "half a minute: `just faults`"]
fn an_outage_of_thirty_seconds_loses_nothing() {
    outage(Duration::from_secs(30));
}

#[test]
#[ignore = "two minutes: `just faults`"]
fn an_outage_of_two_minutes_loses_nothing() {
    outage(Duration::from_secs(120));
}

#[test]
fn a_silence_of_three_seconds_loses_nothing() {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        let proxy = Proxy::start(receiver.address());
        let mut program =
            Program::with(&proxy.endpoint(), transport, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")]);
        program.emit_steadily(PER_SECOND, Duration::from_millis(500));
        proxy.set(Link::Swallow);
        program.emit_steadily(PER_SECOND, Duration::from_secs(3));
        proxy.set(Link::Forward);
        program.emit_steadily(PER_SECOND, Duration::from_millis(500));
        program.stop().assert_delivered(&receiver);
    });
}
