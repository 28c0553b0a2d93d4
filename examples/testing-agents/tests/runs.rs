//! The example runs to its end without a Collector and without a network.

use std::process::{Command, Stdio};

#[test]
fn the_example_prints_its_trace_and_exits() {
    let output = Command::new(env!("CARGO_BIN_EXE_testing-agents"))
        .env("OTEL_TRACES_EXPORTER", "console")
        .env("OTEL_METRICS_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none")
        .env("NO_COLOR", "1")
        .env_remove("TRACEPARENT")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("2 files"), "{stdout}");
    for expected in ["workflow.execute", "agent.execute"] {
        assert!(stderr.contains(expected), "{expected} in {stderr}");
    }
}
