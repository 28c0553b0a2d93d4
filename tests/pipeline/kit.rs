//! Shared helpers: instances that are not installed, and items to send.

use hub_otel::otel::opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use hub_otel::otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
use hub_otel::otel::{logger_provider, tracer_provider};
use hub_otel::{Telemetry, TelemetryBuilder};
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use std::process::Command;
use std::time::Duration;

/// A builder without the environment of the process, with `/metrics` on a free port.
pub(crate) fn builder() -> TelemetryBuilder {
    hub_otel::Telemetry::builder()
        .default_service_name("the-service")
        .env_source([("OTEL_EXPORTER_PROMETHEUS_PORT", "0")])
}

/// A [`builder`] with this environment.
pub(crate) fn within<'a>(
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> TelemetryBuilder {
    let port = [("OTEL_EXPORTER_PROMETHEUS_PORT", "0")];
    hub_otel::Telemetry::builder()
        .default_service_name("the-service")
        .env_source(port.into_iter().chain(variables))
}

/// An instance that sends to `receiver`.
pub(crate) fn to(receiver: &Receiver) -> TelemetryBuilder {
    builder().endpoint(receiver.endpoint())
}

/// Starts and ends a span of that name.
#[expect(clippy::disallowed_methods, reason = "a span without a unit of work around it")]
pub(crate) fn span(telemetry: &Telemetry, name: &str) {
    tracer_provider(telemetry).tracer("tests").start(name.to_owned()).end();
}

/// Emits a log record of that body.
pub(crate) fn log(telemetry: &Telemetry, body: &str) {
    let logger = logger_provider(telemetry).logger("tests");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Info);
    record.set_body(body.to_owned().into());
    logger.emit(record);
}

/// Returns the command that runs one ignored test of this program in a child process, with an
/// otherwise empty environment.
pub(crate) fn case(path: &str) -> Command {
    let mut command = command(std::env::current_exe().expect("this program"));
    command.args(["--exact", path, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// Runs a command of [`case`], which has to succeed by the deadline. Returns its stderr.
#[track_caller]
pub(crate) fn run(command: &mut Command, deadline: Duration) -> String {
    let mut process = Process::spawn(command);
    let status = process.exit(deadline);
    assert!(status.success(), "{status}\n{}\n{}", process.stdout(), process.stderr());
    process.stderr()
}

/// Runs a [`case`] that exports traces and log records to `receiver`. Returns its stderr.
#[track_caller]
pub(crate) fn run_case(path: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> String {
    let mut command = case(path);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_METRICS_EXPORTER", "none")
        .envs(variables.iter().copied());
    run(&mut command, Duration::from_secs(60))
}
