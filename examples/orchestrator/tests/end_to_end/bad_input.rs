//! Invalid input: an error with the value and a remedy, the right exit code, no panic.

use crate::server::{Server, TIMEOUT, folder, serve};
use hub_otel_tests::http::get;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Runs a server that cannot start. Returns exit code and stderr.
#[track_caller]
fn start_fails(serve: &mut Command) -> (Option<i32>, String) {
    let mut process = Process::spawn(serve);
    let status = process.exit(TIMEOUT);
    let output = process.stderr();
    assert!(!output.contains("panicked"), "{output}");
    (status.code(), output)
}

#[track_caller]
fn assert_start_fails(serve: &mut Command, code: i32, words: &[&str]) {
    let (found, output) = start_fails(serve);
    assert_eq!(found, Some(code), "{output}");
    for word in words {
        assert!(output.contains(word), "{word:?} in {output}");
    }
}

#[test]
fn rejected_requests_have_a_json_body() {
    let receiver = Receiver::start();
    let folder = folder();
    let server = Server::start(&mut serve(folder.path(), &receiver.endpoint()));
    for (path, body, status) in [
        ("/api/workflows/no-such-workflow/trigger", "{}", 404),
        ("/api/workflows/scan-and-notify/trigger", "{\"contextJson\":", 400),
        ("/api/workflows/scan-and-notify/trigger", "{\"contextJson\": 7}", 422),
    ] {
        let reply = server.post(path, body);
        let error = reply.json();
        // 400 or 422, depending on the position of the error.
        let accepted: &[u16] = if status == 422 { &[400, 422] } else { &[status] };
        assert!(accepted.contains(&reply.status), "{path} {body}: {} {error}", reply.status);
        assert!(error["error"].is_string() && error["code"].is_string(), "{error}");
    }
    assert_eq!(server.get("/api/runs/no-such-run").status, 404);
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &serde_json::json!("ok")));
    server.stop(TIMEOUT);
}

#[test]
fn a_port_in_use_is_a_failure_that_names_the_port() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut api = plain(folder.path(), &address);
    assert_start_fails(&mut api, 1, &[&address, "another port"]);
    let mut metrics = serve(folder.path(), "http://127.0.0.1:1");
    let port = taken.local_addr().unwrap().port().to_string();
    metrics.env("OTEL_EXPORTER_PROMETHEUS_PORT", &port);
    assert_start_fails(&mut metrics, 1, &[&port, "OTEL_EXPORTER_PROMETHEUS_PORT"]);
}

/// Prepares the command with another address of the API.
fn plain(folder: &Path, bind: &str) -> Command {
    let mut command = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    command.args(["--bind", bind, "--db"]).arg(folder.join("orchestrator.db"));
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    command
}

#[test]
fn an_unwritable_database_is_a_failure_that_names_the_file() {
    let folder = folder();
    let nowhere = folder.path().join("no/such/folder/orchestrator.db");
    let mut command = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    command
        .args(["--bind", "127.0.0.1:0", "--db"])
        .arg(&nowhere)
        .env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    assert_start_fails(&mut command, 1, &[nowhere.to_str().unwrap(), "writable"]);
}

#[test]
fn an_invalid_collector_url_and_an_unknown_flag_are_usage_errors() {
    let folder = folder();
    let mut command = serve(folder.path(), "localhost4317");
    assert_start_fails(
        &mut command,
        2,
        &["OTEL_EXPORTER_OTLP_ENDPOINT", "localhost4317", "http://localhost:4317"],
    );
    let mut command = serve(folder.path(), "http://127.0.0.1:1");
    assert_start_fails(command.arg("--no-such-flag"), 2, &["--no-such-flag"]);
}

#[test]
fn the_default_metrics_port_is_left_to_the_library() {
    // A default port in use is a warning of the library, a configured one an error.
    let folder = folder();
    let mut command = serve(folder.path(), "http://127.0.0.1:1");
    command.env_remove("OTEL_EXPORTER_PROMETHEUS_PORT").arg("--print-config");
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(TIMEOUT).success(), "{}", process.stderr());
    let settings = process.stdout();
    let port = "OTEL_EXPORTER_PROMETHEUS_PORT = 9464  (default)";
    assert!(settings.lines().any(|line| line == port), "{settings}");
}

#[test]
fn a_server_whose_metrics_are_not_served_prints_that_and_runs() {
    let receiver = Receiver::start();
    let folder = folder();
    let mut command = serve(folder.path(), &receiver.endpoint());
    command.env("OTEL_METRICS_EXPORTER", "otlp");
    let mut process = Process::spawn(&mut command);
    let line = process.line(TIMEOUT, "  API ");
    process.line(TIMEOUT, "  metrics    not served");
    let api = line.split_whitespace().nth(1).unwrap();
    assert_eq!(get(format!("{api}/health")).status, 200);
    process.terminate();
    assert!(process.exit(TIMEOUT).success(), "{}", process.stderr());
}
