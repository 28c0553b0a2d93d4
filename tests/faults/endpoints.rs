//! Unreachable and silent endpoints: the shutdown keeps its deadline and the report is exact.

use crate::support::{DEADLINE, assert_in_time, bar, each, figure};
use hub_otel_tests::certificates::Certificates;
use hub_otel_tests::poll;
use hub_otel_tests::ports::{BlackHole, Closed};
use hub_otel_tests::program::{Program, Stopped, Transport};
use hub_otel_tests::proxy::{Link, Proxy};
use hub_otel_tests::receiver::{Receiver, Signal};
use opentelemetry::trace::{Span as _, Tracer as _};
use std::time::{Duration, Instant};

/// Asserts that everything was lost and reported as lost.
#[track_caller]
fn assert_all_lost(stopped: &Stopped) {
    assert_in_time(stopped);
    stopped.assert_balanced();
    for part in [&stopped.report.traces, &stopped.report.logs] {
        assert_eq!((part.ok, part.lost()), (0, stopped.sent), "{}", stopped.report);
    }
    assert_eq!(stopped.report.metrics.ok, 0, "{}", stopped.report);
    assert!(stopped.report.metrics.finished > 0, "{}", stopped.report);
}

#[test]
fn a_closed_port_is_reported_and_delays_nothing() {
    each(Transport::ALL, |transport| {
        let closed = Closed::new();
        let mut program = Program::start(&closed.endpoint(), transport);
        program.emit(300);
        let stopped = program.stop();
        assert_all_lost(&stopped);
        figure(
            &format!("closed port, {transport:?}"),
            format!("{:?}, {}", stopped.took, stopped.report),
        );
    });
}

#[test]
fn a_name_that_does_not_resolve_is_reported_and_delays_nothing() {
    each(Transport::ALL, |transport| {
        let mut program = Program::start("http://collector.invalid:4317", transport);
        program.emit(300);
        let stopped = program.stop();
        assert_all_lost(&stopped);
        figure(
            &format!("DNS failure, {transport:?}"),
            format!("{:?}, {}", stopped.took, stopped.report),
        );
    });
}

/// A proxy that records the bytes between the program and the receiver.
struct Wiretap {
    proxy: Proxy,
    authority: tempfile::NamedTempFile,
}

impl Wiretap {
    fn on(receiver: &Receiver, certificates: &Certificates) -> Self {
        let authority = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(authority.path(), &certificates.authority).expect("written");
        Self { proxy: Proxy::start(receiver.address()), authority }
    }

    fn program(&self, transport: Transport, more: &[(&str, &str)]) -> Program {
        let endpoint = format!("https://localhost:{}", self.proxy.address().port());
        let authority = self.authority.path().to_str().expect("text");
        let mut settings = vec![("OTEL_EXPORTER_OTLP_CERTIFICATE", authority)];
        settings.extend(more);
        Program::with(&endpoint, transport, &settings)
    }

    /// Asserts that all bytes are TLS: each connection starts with a handshake, no id is readable.
    #[track_caller]
    fn assert_no_plaintext(&self) {
        let received = self.proxy.received();
        assert_eq!(received.first(), Some(&0x16), "a TLS handshake");
        for plain in [&b"item-"[..], b"under-test", b"PRI *", b"POST "] {
            assert!(
                !received.windows(plain.len()).any(|window| window == plain),
                "{plain:?} was readable"
            );
        }
    }
}

#[test]
fn a_peer_with_a_certificate_for_another_name_receives_no_telemetry() {
    each(Transport::BOTH, |transport| {
        let certificates = Certificates::for_name("elsewhere.test");
        let receiver = Receiver::tls(&certificates, false);
        let wire = Wiretap::on(&receiver, &certificates);
        let mut program = wire.program(transport, &[]);
        program.emit(300);
        let stopped = program.stop();
        assert_all_lost(&stopped);
        assert!(receiver.requests().is_empty());
        wire.assert_no_plaintext();
        figure(
            &format!("TLS wrong name, {transport:?}"),
            format!("{:?}, {}", stopped.took, stopped.report),
        );
    });
}

#[test]
fn a_silent_tls_peer_receives_no_telemetry() {
    each(Transport::BOTH, |transport| {
        let certificates = Certificates::for_name("localhost");
        let receiver = Receiver::tls(&certificates, false);
        let wire = Wiretap::on(&receiver, &certificates);
        wire.proxy.set(Link::Swallow);
        let mut program = wire.program(transport, &[]);
        program.emit(300);
        poll::until(Duration::from_secs(20), || !wire.proxy.received().is_empty());
        let stopped = program.stop();
        assert_all_lost(&stopped);
        wire.assert_no_plaintext();
        figure(
            &format!("TLS silent peer, {transport:?}"),
            format!("{:?}, {}", stopped.took, stopped.report),
        );
    });
}

#[test]
fn a_peer_with_the_right_certificate_receives_everything_over_mutual_tls() {
    each(
        [(Transport::Grpc, true), (Transport::Http, true), (Transport::Grpc, false)],
        |(transport, client)| {
            let certificates = Certificates::for_name("localhost");
            let receiver = Receiver::tls(&certificates, true);
            let wire = Wiretap::on(&receiver, &certificates);
            let folder = tempfile::tempdir().expect("a folder");
            let (certificate, key) =
                (folder.path().join("client.pem"), folder.path().join("client.key"));
            std::fs::write(&certificate, &certificates.client.certificate).expect("written");
            std::fs::write(&key, &certificates.client.key).expect("written");
            let settings = [
                ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.to_str().expect("text")),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key.to_str().expect("text")),
            ];
            let mut program = wire.program(transport, if client { &settings } else { &[] });
            program.emit(300);
            let stopped = program.stop();
            if client {
                stopped.assert_delivered_once(&receiver);
            } else {
                assert_all_lost(&stopped);
            }
            wire.assert_no_plaintext();
        },
    );
}

#[test]
fn a_black_hole_delays_neither_a_span_nor_the_shutdown() {
    let hole = BlackHole::new();
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        let swallows = Proxy::start(receiver.address());
        swallows.set(Link::Stall);
        each(
            [("never connects", hole.endpoint()), ("never reads", swallows.endpoint())],
            |(what, endpoint)| {
                let mut program = Program::start(&endpoint, transport);
                program.emit(300);
                let stopped = program.stop();
                assert_all_lost(&stopped);
                figure(
                    &format!("black hole ({what}), {transport:?}: shutdown"),
                    format!("{:?}, {}", stopped.took, stopped.report),
                );
            },
        );
        assert_eq!(receiver.attempts(Signal::Traces), 0);
    });
}

/// Returns the p99.9 of the duration of `span.end()`.
fn slow_end(program: &Program, spans: usize) -> Duration {
    let mut times: Vec<_> = (0..spans)
        .map(|_| {
            let mut span = program.tracer().start("ends into a black hole");
            let start = Instant::now();
            span.end();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() - 1 - times.len() / 1000]
}

#[test]
fn a_span_ends_in_microseconds_without_a_response() {
    let hole = BlackHole::new();
    for transport in Transport::BOTH {
        let program = Program::start(&hole.endpoint(), transport);
        // Without optimisation on a busy machine: far below every timeout of the network.
        let unoptimised = cfg!(debug_assertions).then_some(Duration::from_millis(1));
        let most = unoptimised.unwrap_or(Duration::from_micros(5));
        // The best of several rounds, to exclude the scheduler. The queue is full in later rounds.
        let rounds: Vec<_> = (0..20).map(|_| slow_end(&program, 2_000)).collect();
        let (roomy, full) = (rounds[..8].iter().min(), rounds[8..].iter().min());
        figure(
            &format!("black hole: span.end() p99.9, queue with room, {transport:?}"),
            format!("{roomy:?}"),
        );
        figure(
            &format!("black hole: span.end() p99.9, queue full, {transport:?}"),
            format!("{full:?}"),
        );
        assert!(roomy <= Some(&most) && full <= Some(&most), "{rounds:?}");
        let stopped = program.stop();
        assert_eq!(stopped.report.traces.finished, 40_000);
        assert_eq!(stopped.report.traces.lost(), 40_000, "{}", stopped.report);
        assert!(stopped.took <= bar(DEADLINE + Duration::from_millis(250)), "{:?}", stopped.took);
    }
}
