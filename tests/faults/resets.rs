//! Broken connections: nothing is lost, and only affected items may be duplicated.

use crate::support::{bar, each, figure};
use hub_otel_tests::poll;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Behaviour, Receiver, Request, Signal};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
const BATCH: u64 = 200;
const ITEMS: u64 = 8 * BATCH;

fn program(receiver: &Receiver, transport: Transport) -> Program {
    let settings = [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "200"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "200"),
    ];
    Program::with(&receiver.endpoint(), transport, &settings)
}

/// Compares the items of two requests, to recognise a retry.
fn same(one: &Request, other: &Request) -> bool {
    one.signal == other.signal && one.payload == other.payload
}

#[test]
fn a_broken_connection_loses_nothing_and_duplicates_only_its_own_items() {
    let faults = [Behaviour::ResetBeforeReply, Behaviour::ResetAfterReply, Behaviour::HalfReply];
    each(
        faults.iter().flat_map(|fault| Transport::BOTH.map(|transport| (fault, transport))),
        |(fault, transport)| {
            let receiver = Receiver::start();
            for signal in Signal::ALL {
                // Three are hit, with healthy ones in between.
                let healthy = Behaviour::Accept;
                receiver
                    .script(signal, [&healthy, fault, &healthy, fault, fault].map(Clone::clone));
            }
            let mut program = program(&receiver, transport);
            // One batch at a time: over HTTP/2 a reset hits all that the connection carries.
            for sent in (0..ITEMS).step_by(BATCH as usize) {
                program.emit(BATCH);
                // The last batch is hit twice.
                poll::until(2 * bar(TIMEOUT + Duration::from_secs(2)), || {
                    let report = program.report();
                    report.traces.ok == sent + BATCH && report.logs.ok == sent + BATCH
                });
            }
            let stopped = program.stop();
            stopped.assert_delivered(&receiver);
            let requests = receiver.requests();
            for signal in [Signal::Traces, Signal::Logs] {
                let of_signal: Vec<_> =
                    requests.iter().filter(|request| request.signal == signal).collect();
                let hit: Vec<_> =
                    [1, 3, 4].into_iter().filter_map(|number| of_signal.get(number)).collect();
                let most: u64 = hit.iter().map(|request| request.items()).sum();
                let account = stopped.account(&receiver, signal);
                assert!(
                    account.duplicates as u64 <= most,
                    "{signal:?}: {} doubled, {most} hit",
                    account.duplicates
                );
                let doubled = of_signal.len() - (ITEMS / BATCH) as usize;
                figure(
                    &format!("{fault:?}, {transport:?}, {signal:?}"),
                    format!("0 missing, {doubled} batches doubled of 3 hit"),
                );
            }
            // From the hit to its next arrival.
            for (number, hit) in requests.iter().enumerate() {
                if let Some(again) = requests[number + 1..].iter().find(|later| same(hit, later)) {
                    let recovery = again.at - hit.at;
                    assert!(recovery <= bar(TIMEOUT + Duration::from_secs(2)), "{recovery:?}");
                }
            }
        },
    );
}

#[test]
fn connections_that_are_reset_again_and_again_lose_nothing() {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        let proxy = hub_otel_tests::proxy::Proxy::start(receiver.address());
        let mut program = Program::start(&proxy.endpoint(), transport);
        for _ in 0..10 {
            program.emit_steadily(1_000, Duration::from_millis(150));
            proxy.reset_connections();
        }
        program.stop().assert_delivered(&receiver);
    });
}
