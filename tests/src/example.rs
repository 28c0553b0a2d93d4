//! Runs of the small examples.

use crate::process::{Process, command};
use std::time::Duration;

/// Runs an example with its trace on stderr, without a Collector and without `/metrics`.
///
/// Asserts that it succeeds, and that stdout and stderr contain the given texts.
///
/// # Panics
/// If the example fails or a text is missing.
#[track_caller]
pub fn assert_prints(program: &str, arguments: &[&str], stdout: &[&str], stderr: &[&str]) {
    let mut command = command(program);
    command.args(arguments).envs([
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    let mut process = Process::spawn(&mut command);
    let status = process.exit(Duration::from_secs(60));
    let (printed, trace) = (process.stdout(), process.stderr());
    assert!(status.success(), "{status}\n{printed}\n{trace}");
    for (text, expected) in [(&printed, stdout), (&trace, stderr)] {
        for part in expected {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
}
