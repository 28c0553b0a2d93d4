//! Events of the exporters are never exported: at RUST_LOG=trace only the program's records arrive.

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Receiver, Signal};
use std::time::Duration;

const EVENTS: usize = 30;
/// Targets of crates that the exporters use, here used by the program.
const SHARED: [&str; 4] = ["hyper", "h2", "tonic", "rustls"];

#[test]
fn at_the_finest_level_events_of_the_exporters_are_printed_and_never_exported() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let receiver = Receiver::start();
        let mut command = kit::case("no_feedback_loop::case::finest");
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            // Each export would cause the next one.
            ("OTEL_BLRP_SCHEDULE_DELAY", "5"),
            ("RUST_LOG", "trace"),
        ]);
        let mut process = Process::spawn(&mut command);
        let status = process.exit(Duration::from_secs(60));
        let stderr = process.stderr();
        assert!(status.success(), "{status}\n{stderr}");
        // The exporters do emit events: the lines on stderr show them.
        let exporter = if protocol == "grpc" { "h2::" } else { "hyper_util::client" };
        assert!(stderr.contains(exporter), "{stderr}");
        let mut bodies: Vec<_> =
            receiver.logs().iter().map(|log| format!("{:?}", log.body)).collect();
        bodies.retain(|body| !body.contains("an event of the program"));
        assert_eq!(bodies, Vec::<String>::new(), "{protocol}");
        assert_eq!(receiver.logs().len(), EVENTS + SHARED.len(), "{protocol}");
        // Several exports happened meanwhile: each could have started a loop.
        assert!(receiver.attempts(Signal::Logs) > 3, "{protocol}");
        let scopes: Vec<_> = receiver.logs().iter().map(|log| log.scope.name.clone()).collect();
        assert!(
            SHARED.iter().all(|target| scopes.iter().any(|scope| scope == target)),
            "{scopes:?}"
        );
    }
}

mod case {
    use super::EVENTS;

    #[test]
    #[ignore = "runs in a child process"]
    fn finest() {
        let telemetry = hub_otel::init("no-feedback-loop").expect("the install");
        for number in 0..EVENTS {
            tracing::trace!(number, "an event of the program");
            if number % 5 == 0 {
                telemetry.flush_blocking();
            }
        }
        tracing::debug!(target: "hyper", "an event of the program");
        tracing::debug!(target: "h2", "an event of the program");
        tracing::debug!(target: "tonic", "an event of the program");
        tracing::debug!(target: "rustls", "an event of the program");
        // Events of the SDK occur while a record is emitted and would cause the next one.
        tracing::warn!(target: "opentelemetry_sdk", "of the SDK itself");
        let report = telemetry.shutdown_blocking();
        assert_eq!(report.logs.finished, EVENTS as u64 + 4, "{report}");
    }
}
