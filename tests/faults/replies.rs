//! Malicious replies: endless, huge, compressed, or not OTLP.

use crate::support::{assert_in_time, each, figure};
use hub_otel_tests::process::Process;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
use std::time::Duration;

const MIB: u64 = 1 << 20;

#[test]
fn a_malicious_reply_keeps_the_deadline_and_is_counted() {
    // The receiver compresses the bomb itself, which takes seconds for a larger one.
    let replies =
        [Behaviour::Drip, Behaviour::Huge(10 << 20), Behaviour::Bomb(16 << 20), Behaviour::Garbage];
    each(
        replies.iter().flat_map(|reply| Transport::ALL.map(|transport| (reply, transport))),
        |(reply, transport)| {
            let receiver = Receiver::start();
            receiver.always(reply.clone());
            let settings = [
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ];
            let mut program = Program::with(&receiver.endpoint(), transport, &settings);
            program.emit(200);
            let stopped = program.stop();
            assert_in_time(&stopped);
            stopped.assert_balanced();
            // The items were received. The result is counted by the reply.
            for signal in [Signal::Traces, Signal::Logs] {
                assert!(stopped.account(&receiver, signal).nothing_missing(), "{reply:?}");
            }
            if let Behaviour::Huge(_) | Behaviour::Bomb(_) = reply {
                for part in [&stopped.report.traces, &stopped.report.logs] {
                    assert_eq!(
                        part.failures.get("reply_too_large"),
                        Some(&200),
                        "{}",
                        stopped.report
                    );
                }
            }
            figure(
                &format!("{reply:?}, {transport:?}"),
                format!("{:?}, {}", stopped.took, stopped.report),
            );
        },
    );
}

#[test]
fn a_malicious_reply_takes_no_memory() {
    let replies = [Behaviour::Drip, Behaviour::Huge(10 << 20), Behaviour::Bomb(64 << 20)];
    each(
        replies.iter().flat_map(|reply| Transport::BOTH.map(|transport| (reply, transport))),
        |(reply, transport)| {
            let receiver = Receiver::start();
            receiver.always(reply.clone());
            let mut child =
                crate::children::start("burst", &receiver.endpoint(), transport, &["2000"]);
            let peak = crate::children::growth(&mut child);
            figure(&format!("{reply:?}, {transport:?}: memory"), format!("+{} MiB", peak / MIB));
            assert!(peak <= 24 * MIB, "{reply:?} {transport:?}: +{} MiB", peak / MIB);
            let _ended: &Process = &child;
        },
    );
}

#[test]
fn one_hanging_reply_does_not_delay_other_batches() {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        for signal in [Signal::Traces, Signal::Logs] {
            receiver.script(signal, [Behaviour::Hang]);
        }
        let settings = [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "100"),
        ];
        let mut program = Program::with(&receiver.endpoint(), transport, &settings);
        program.emit(1_000);
        hub_otel_tests::poll::until(Duration::from_secs(20), || program.report().traces.ok >= 900);
        program.stop().assert_delivered_once(&receiver);
    });
}
