//! What people get wrong: a clear word with the value and the remedy, the right exit code, never a panic.

use crate::server::{LONG, Server, folder, serve};
use hub_otel_tests::http::get;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Starts what cannot start: its exit code, and what it said.
#[track_caller]
fn refused(serve: &mut Command) -> (Option<i32>, String) {
    let mut process = Process::spawn(serve);
    let status = process.exit(LONG);
    let said = process.stderr();
    assert!(!said.contains("panicked"), "{said}");
    (status.code(), said)
}

#[track_caller]
fn assert_refused(serve: &mut Command, code: i32, words: &[&str]) {
    let (found, said) = refused(serve);
    assert_eq!(found, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

#[test]
fn what_the_api_cannot_take_is_answered_as_json() {
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
        // Which of the two a body of the wrong shape is depends on how far it was understood.
        let accepted: &[u16] = if status == 422 { &[400, 422] } else { &[status] };
        assert!(accepted.contains(&reply.status), "{path} {body}: {} {error}", reply.status);
        assert!(error["error"].is_string() && error["code"].is_string(), "{error}");
    }
    assert_eq!(server.get("/api/runs/no-such-run").status, 404);
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &serde_json::json!("ok")));
    server.stop(LONG);
}

#[test]
fn a_port_that_is_taken_is_a_failure_that_names_it() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut api = plain(folder.path(), &address);
    assert_refused(&mut api, 1, &[&address, "another port"]);
    let mut metrics = serve(folder.path(), "http://127.0.0.1:1");
    let port = taken.local_addr().unwrap().port().to_string();
    metrics.env("OTEL_EXPORTER_PROMETHEUS_PORT", &port);
    assert_refused(&mut metrics, 1, &[&port, "OTEL_EXPORTER_PROMETHEUS_PORT"]);
}

/// The command with another address for the API.
fn plain(folder: &Path, bind: &str) -> Command {
    let mut command = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    command.args(["--bind", bind, "--db"]).arg(folder.join("orchestrator.db"));
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    command
}

#[test]
fn a_database_that_cannot_be_written_is_a_failure_that_names_it() {
    let folder = folder();
    let nowhere = folder.path().join("no/such/folder/orchestrator.db");
    let mut command = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    command
        .args(["--bind", "127.0.0.1:0", "--db"])
        .arg(&nowhere)
        .env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    assert_refused(&mut command, 1, &[nowhere.to_str().unwrap(), "writable"]);
}

#[test]
fn a_collector_that_is_no_url_and_a_flag_that_does_not_exist_are_wrong_usage() {
    let folder = folder();
    let mut command = serve(folder.path(), "localhost4317");
    assert_refused(
        &mut command,
        2,
        &["OTEL_EXPORTER_OTLP_ENDPOINT", "localhost4317", "http://localhost:4317"],
    );
    let mut command = serve(folder.path(), "http://127.0.0.1:1");
    assert_refused(command.arg("--no-such-flag"), 2, &["--no-such-flag"]);
}

#[test]
fn a_default_metrics_port_that_is_taken_is_one_warning_and_the_program_runs_on() {
    let receiver = Receiver::start();
    let folder = folder();
    // Held by this test, or by somebody else on this machine: taken in either case.
    let _taken = TcpListener::bind("127.0.0.1:9464");
    let mut command = serve(folder.path(), &receiver.endpoint());
    command.env_remove("OTEL_EXPORTER_PROMETHEUS_PORT");
    let mut process = Process::spawn(&mut command);
    let line = process.line(LONG, "  API ");
    process.line(LONG, "  metrics    not served");
    let api = line.split_whitespace().nth(1).unwrap();
    assert_eq!(get(format!("{api}/health")).status, 200);
    process.terminate();
    assert!(process.exit(LONG).success());
    let said = process.stderr();
    let warnings: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("[OpenTelemetry]") && line.contains("9464"))
        .collect();
    assert!(
        warnings.len() <= 2
            && warnings
                .iter()
                .filter(|line| line.contains("in use") || line.contains("taken"))
                .count()
                == 1,
        "{said}"
    );
}
