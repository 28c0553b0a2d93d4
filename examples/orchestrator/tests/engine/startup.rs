//! A server that cannot start prints the reason and exits with the matching code.

use crate::server::{Home, TIMEOUT};
use hub_otel_tests::process::Process;

fn fails(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut serve = home.command(arguments);
    serve.envs(variables.iter().copied());
    let mut process = Process::spawn(&mut serve);
    let status = process.exit(TIMEOUT);
    let output = process.stderr();
    assert!(!output.contains("panicked"), "{output}");
    (status.code().unwrap(), output)
}

#[test]
fn invalid_input_is_an_error_message_and_an_exit_code() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let rejects = |arguments: &[&str], variables: &[(&str, &str)], code: i32, words: &[&str]| {
        let (exit, output) = fails(&home, arguments, variables);
        assert_eq!(exit, code, "{arguments:?} {variables:?}: {output}");
        for word in words {
            assert!(output.contains(word), "{word} is not in: {output}");
        }
    };
    rejects(&["--nonsense"], &[], 2, &["--nonsense"]);
    rejects(&["--drain-timeout", "soon"], &[], 2, &["soon"]);
    rejects(&[], &[("HUB_MAX_RUNS", "many")], 2, &["many"]);
    rejects(&["--config", "nowhere.toml"], &[], 2, &["nowhere.toml"]);
    rejects(&["--db", "postgres://localhost/x"], &[], 2, &["postgres", "not supported"]);
    rejects(&["--db", "nowhere/at/all.db"], &[], 1, &["nowhere/at/all.db", "writable"]);
    rejects(
        &[],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost4317")],
        2,
        &["OTEL_EXPORTER_OTLP_ENDPOINT", "localhost4317"],
    );
    rejects(&[], &[("SLACK_WEBHOOK_URL", "http://evil.example/x")], 2, &["SLACK_WEBHOOK_URL"]);
    let mut serve = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    serve.current_dir(home.path()).args(["--bind", &taken]);
    serve.env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    let mut process = Process::spawn(&mut serve);
    assert_eq!(process.exit(TIMEOUT).code(), Some(1));
    assert!(process.stderr().contains(&taken), "{}", process.stderr());
    drop(listener);
    let mut serve = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    serve.current_dir(home.path()).args(["--bind", "0.0.0.0:0"]);
    serve.env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    let mut process = Process::spawn(&mut serve);
    assert_eq!(process.exit(TIMEOUT).code(), Some(2));
    assert!(process.stderr().contains("HUB_API_TOKEN"), "{}", process.stderr());
}

#[test]
fn sigterm_without_collector_and_runs_exits_within_six_seconds() {
    let home = Home::new();
    let closed = hub_otel_tests::ports::Closed::new();
    let mut serve = home.command(&["--db", ":memory:"]);
    serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", closed.endpoint());
    let mut process = Process::spawn(&mut serve);
    process.line(TIMEOUT, "  try ");
    assert!(process.stderr().contains("unreachable"), "{}", process.stderr());
    process.terminate();
    let began = std::time::Instant::now();
    assert!(process.exit(TIMEOUT).success());
    assert!(began.elapsed() < std::time::Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn a_signal_during_the_start_is_a_clean_shutdown() {
    let home = Home::new();
    let mut serve = home.command(&[]);
    serve.env("OTEL_TRACES_EXPORTER", "none").env("OTEL_LOGS_EXPORTER", "none");
    let mut process = Process::spawn(&mut serve);
    // The first line of output. The server is not ready yet.
    process.line(TIMEOUT, "Instrumentation started");
    process.terminate();
    assert!(process.exit(TIMEOUT).success(), "{}", process.stderr());
}
