//! Certificates that are rotated while the program runs.

use crate::kit;
use hub_otel::{Protocol, Telemetry};
use hub_otel_tests::certificates::Certificates;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::Receiver;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);

fn write(folder: &Path, name: &str, pem: &str) {
    std::fs::write(folder.join(name), pem).expect("written");
}

fn write_all(folder: &Path, certificates: &Certificates) {
    write(folder, "authority.pem", &certificates.authority);
    write(folder, "client.pem", &certificates.client.certificate);
    write(folder, "client.key", &certificates.client.key);
}

fn start(folder: &Path, receiver: &Receiver, protocol: Protocol) -> Telemetry {
    kit::to(receiver)
        .protocol(protocol)
        .certificate(folder.join("authority.pem"))
        .client_certificate(folder.join("client.pem"), folder.join("client.key"))
        .set_var("OTEL_BSP_SCHEDULE_DELAY", "50")
        .build()
        .expect("it starts")
}

#[track_caller]
fn delivers(telemetry: &Telemetry, total: u64) {
    poll::until(SOON, || telemetry.report().traces.ok == total);
}

/// Telemetry that delivered one span, and a receiver whose certificates were replaced since.
struct Rotated {
    /// The first certificates.
    folder: TempDir,
    receiver: Receiver,
    telemetry: Telemetry,
    second: Certificates,
}

fn rotated(protocol: Protocol) -> Rotated {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Certificates::for_name("localhost");
    write_all(folder.path(), &first);
    let receiver = Receiver::tls(&first, true);
    let telemetry = start(folder.path(), &receiver, protocol);
    kit::span(&telemetry, "before");
    delivers(&telemetry, 1);
    let second = Certificates::for_name("localhost");
    receiver.rotate(&second, true);
    Rotated { folder, receiver, telemetry, second }
}

#[test]
fn rotated_certificates_are_read_again_and_nothing_is_lost() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let Rotated { folder, receiver: _receiver, telemetry, second } = rotated(protocol);
        kit::span(&telemetry, "between");
        // The program fails to connect meanwhile.
        poll::until(SOON, || telemetry.report().traces.pending == 1);
        write_all(folder.path(), &second);
        kit::span(&telemetry, "after");
        delivers(&telemetry, 3);
        let report = telemetry.shutdown_blocking();
        assert!(report.is_complete(), "{protocol:?}: {report}");
    }
}

#[test]
fn files_that_do_not_fit_together_yet_are_tried_again() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let Rotated { folder, receiver: _receiver, telemetry, second } = rotated(protocol);
        write(folder.path(), "authority.pem", "half of a fi");
        write(folder.path(), "client.pem", &second.client.certificate);
        kit::span(&telemetry, "between");
        poll::until(SOON, || telemetry.report().traces.pending == 1);
        write(folder.path(), "authority.pem", &second.authority);
        kit::span(&telemetry, "still between");
        write(folder.path(), "client.key", &second.client.key);
        delivers(&telemetry, 3);
        assert!(telemetry.shutdown_blocking().is_complete(), "{protocol:?}");
    }
}
