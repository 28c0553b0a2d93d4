//! The last line on stderr: the loss, its reason and the remedy.

use crate::kit;
use hub_otel_tests::ports::Closed;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Behaviour, Receiver};
use std::time::Duration;

fn shutdown_message(endpoint: &str, more: &[(&str, &str)]) -> String {
    let mut command = kit::case("shutdown_message::case::three_spans");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ("HUB_OTEL_SHUTDOWN_TIMEOUT", "3000"),
    ]);
    command.envs(more.iter().copied());
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(Duration::from_secs(30)).success(), "{}", process.stderr());
    let stderr = process.stderr();
    let line = stderr.lines().rfind(|line| line.starts_with("[OpenTelemetry]"));
    line.unwrap_or_else(|| panic!("no line: {stderr}")).to_owned()
}

#[test]
fn an_unreachable_collector_is_named_with_a_remedy() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let closed = Closed::new();
        let line =
            shutdown_message(&closed.endpoint(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        let begin = format!(
            "[OpenTelemetry] Shutdown error: 3 items could not be delivered, because no Collector was reachable at {} (Connection refused",
            closed.endpoint()
        );
        assert!(line.starts_with(&begin), "{line}");
        for remedy in ["start one there", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED=true"] {
            assert!(line.contains(remedy), "{line}");
        }
        assert!(line.contains("traces: 3 finished, 0 ok, 3 dropped (no_collector)"), "{line}");
    }
}

#[test]
fn a_rejecting_or_silent_collector_is_distinguished_from_an_unreachable_one() {
    let receiver = Receiver::start();
    receiver.always(Behaviour::code(hub_otel_tests::receiver::Code::PermissionDenied));
    let line = shutdown_message(&receiver.endpoint(), &[]);
    assert!(line.contains("Shutdown error: 3 items could not be delivered (traces: 3 finished, 0 ok, 3 failed (grpc_permission_denied)"), "{line}");
    receiver.always(Behaviour::Hang);
    let line = shutdown_message(&receiver.endpoint(), &[]);
    assert!(line.contains("Shutdown error: 3 items could not be delivered (traces: 3 finished, 0 ok, 3 dropped (shutdown_deadline)"), "{line}");
    assert!(!line.contains("no Collector"), "{line}");
}

#[test]
fn a_complete_shutdown_prints_two_words() {
    let receiver = Receiver::start();
    assert_eq!(shutdown_message(&receiver.endpoint(), &[]), "[OpenTelemetry] Shutdown complete");
}

mod case {
    use crate::kit;

    #[test]
    #[ignore = "runs in a child process"]
    fn three_spans() {
        let telemetry = hub_otel::init("shutdown-message").expect("the install");
        (0..3).for_each(|number| kit::span(&telemetry, &format!("{number}")));
        telemetry.shutdown_blocking();
    }
}
