//! Installations one after the other, and units that begin before or after one. Each case runs in a
//! child process.

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Receiver, text};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Runs one of the cases below. Returns the text of stderr.
#[track_caller]
fn run(name: &str, receiver: &Receiver) -> String {
    let mut command = kit::case(&format!("install::case::{name}"));
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
    process.stderr()
}

#[test]
fn after_a_shutdown_telemetry_can_be_installed_again() {
    let receiver = Receiver::start();
    let stderr = run("three_times", &receiver);
    let mut services: Vec<_> = receiver
        .spans()
        .iter()
        .map(|span| text(&span.resource.attributes, "service.name").unwrap_or_default().to_owned())
        .collect();
    services.sort();
    assert_eq!(services, ["first", "second", "third"], "{stderr}");
    // The subscriber that the first installation set exports to the one that is installed.
    let bodies: Vec<_> = receiver.logs().iter().map(|log| format!("{:?}", log.body)).collect();
    for line in ["a line of first", "a line of second", "a line of third"] {
        assert_eq!(bodies.iter().filter(|body| body.contains(line)).count(), 1, "{bodies:?}");
        assert_eq!(stderr.matches(line).count(), 1, "{stderr}");
    }
    assert!(!stderr.contains("subscriber is set already"), "{stderr}");
    assert_eq!(stderr.matches("[OpenTelemetry] Shutdown complete\n").count(), 3, "{stderr}");
    assert!(!stderr.contains("began before") && !stderr.contains("has ended"), "{stderr}");
}

#[test]
fn a_guard_that_is_dropped_at_once_is_reported_by_the_first_unit() {
    let receiver = Receiver::start();
    let stderr = run("guard_not_kept", &receiver);
    assert!(receiver.spans().is_empty());
    assert_eq!(stderr.matches("its guard was dropped").count(), 1, "{stderr}");
    let line = stderr.lines().find(|line| line.contains("its guard was dropped"));
    assert!(
        line.is_some_and(|line| line.starts_with("[OpenTelemetry] ")
            && line.contains("`let telemetry = hub_otel::init!()?;`")),
        "{stderr}"
    );
}

#[test]
fn units_after_an_orderly_shutdown_are_not_reported() {
    let receiver = Receiver::start();
    let stderr = run("shut_down", &receiver);
    assert!(stderr.ends_with("[OpenTelemetry] Shutdown complete\n"), "{stderr}");
}

#[test]
fn a_unit_that_began_before_the_installation_is_reported_once() {
    let receiver = Receiver::start();
    let stderr = run("unit_before", &receiver);
    let line = "[OpenTelemetry] a workflow (`early`) began before telemetry was installed and is \
                not recorded: call `hub_otel::init!()` before the first workflow and agent\n";
    assert_eq!(stderr.matches(line).count(), 1, "{stderr}");
    assert_eq!(stderr.matches("began before").count(), 1, "{stderr}");
    assert_eq!(receiver.spans().len(), 4, "the agent after each installation");
}

mod case {
    use hub_otel::{Telemetry, agent, instrument_workflow};
    use std::net::TcpListener;

    fn work() {
        agent("scanner", "scan").call(|| ());
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn three_times() {
        // The same port each time: the listener of `/metrics` is closed by the shutdown.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        for name in ["first", "second", "third"] {
            let telemetry = Telemetry::builder()
                .default_service_name(name)
                .prometheus("127.0.0.1", port)
                .install()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(hub_otel::init("another").is_err(), "one at a time");
            work();
            tracing::info!("a line of {name}");
            let report = telemetry.shutdown_blocking();
            assert_eq!((report.traces.ok, report.logs.ok), (1, 1), "{report}");
            work();
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(clippy::let_underscore_must_use, reason = "the mistake that is reported")]
    fn guard_not_kept() {
        let _ = hub_otel::init("dropped").expect("the install");
        work();
        work();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn shut_down() {
        hub_otel::init("orderly").expect("the install").shutdown_blocking();
        work();
    }

    #[instrument_workflow]
    fn early() {
        for _ in 0..2 {
            let telemetry = hub_otel::init("late").expect("the install");
            work();
            telemetry.shutdown_blocking();
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn unit_before() {
        early();
        early();
    }
}
