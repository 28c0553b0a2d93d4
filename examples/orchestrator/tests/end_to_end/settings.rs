//! `serve --print-config`: telemetry settings with their sources, without secrets.

use crate::server::{TIMEOUT, folder, serve};
use hub_otel_tests::process::Process;

#[test]
fn the_settings_are_printed_with_their_source_and_the_server_does_not_start() {
    let folder = folder();
    let mut command = serve(folder.path(), "http://127.0.0.1:4317");
    command.arg("--print-config");
    command.envs([
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,api_key=hunter2"),
        ("OTEL_BSP_SCHEDULE_DELAY", "250"),
    ]);
    let mut process = Process::spawn(&mut command);
    let status = process.exit(TIMEOUT);
    let (stdout, stderr) = (process.stdout(), process.stderr());
    assert!(status.success(), "{stderr}");
    for line in [
        "service.namespace = commandcenter-hub  (default)",
        "deployment.environment.name = staging  (OTEL_RESOURCE_ATTRIBUTES)",
        "api_key = [REDACTED]  (OTEL_RESOURCE_ATTRIBUTES)",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = http://127.0.0.1:4317  (OTEL_EXPORTER_OTLP_ENDPOINT)",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS = authorization=[REDACTED]  (OTEL_EXPORTER_OTLP_HEADERS)",
        "OTEL_BSP_SCHEDULE_DELAY = 250  (OTEL_BSP_SCHEDULE_DELAY)",
        "OTEL_PROPAGATORS = tracecontext  (default)",
    ] {
        assert!(stdout.lines().any(|printed| printed == line), "{line}:\n{stdout}");
    }
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"), "{stdout}{stderr}");
    assert!(!stderr.contains("[OpenTelemetry]"), "nothing is started: {stderr}");
    assert!(!folder.path().join("orchestrator.db").exists(), "no database either");
}
