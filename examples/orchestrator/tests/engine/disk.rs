//! A database file that cannot be written, from the start or later.

#![cfg(unix)]

use crate::server::{Home, Server, TIMEOUT, fault};
use hub_otel_tests::http::get;
use hub_otel_tests::poll;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use serde_json::json;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Root can write every file: if the tests run as root, the server runs as another user.
const NOBODY: u32 = 65_534;

#[test]
fn a_read_only_file_is_an_error_at_the_start() {
    let home = Home::new();
    home.serve(None, &[]).stop();
    let root = std::fs::metadata(home.path()).unwrap().uid() == 0;
    let mut serve = home.command(&[]);
    if root {
        serve.uid(NOBODY).gid(NOBODY);
    }
    for entry in std::fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([home.path().into()])
    {
        if root {
            chown(&entry, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let folder = entry.is_dir();
        set_permissions(&entry, Permissions::from_mode(if folder { 0o555 } else { 0o444 }))
            .unwrap();
    }
    let mut process = Process::spawn(&mut serve);
    let status = process.exit(TIMEOUT);
    set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let output = process.stderr();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(
        output.contains("--db orchestrator.db: ") && output.contains("is it a writable file?"),
        "{output}"
    );
    assert!(!output.contains("panicked"), "{output}");
}

#[test]
fn a_deleted_or_replaced_file_is_reported_and_no_longer_written() {
    for (name, replaced) in
        [("orchestrator.db", false), ("orchestrator.db", true), ("orchestrator.db-wal", false)]
    {
        let home = Home::new();
        let server = home.serve(None, &["--lease", "1s"]);
        let run = server.trigger("diamond", json!({}));
        server.reaches(&run, "SUCCESS");
        let file = home.path().join(name);
        std::fs::remove_file(&file).unwrap();
        if replaced {
            std::fs::write(&file, "").unwrap();
        }
        // Without any request: the lease cannot be renewed.
        server.process.line(TIMEOUT, "was deleted or replaced");
        let refused = server.post("/api/workflows/diamond/trigger", &json!({}));
        assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("store_unavailable")));
        for path in ["/health", "/health/ready"] {
            let health = get(format!("{}{path}", server.url));
            assert_eq!((health.status, &health.json()["database"]), (503, &json!("failed")));
        }
        let failed = [("db_operation_name", "INSERT"), ("error_type", "io")];
        poll::until(TIMEOUT, || {
            server.metric("db_client_operation_duration_seconds_count", &failed) >= 1.0
        });
        server.kill();
    }
}

/// A server for which a write past its limit is an error (`EFBIG`) instead of a signal.
fn limitable(home: &Home, receiver: &Receiver) -> Server {
    let inner = home.command(&[]);
    let mut serve = command("/bin/sh");
    serve
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(home.path())
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    Server::start(Process::spawn(&mut serve))
}

/// Sets the maximum file size of the server process.
fn limit(server: &Server, bytes: &str) {
    let process = server.process.id().to_string();
    let done =
        Command::new("prlimit").args(["--pid", &process, &format!("--fsize={bytes}:")]).status();
    assert!(done.unwrap().success());
}

#[test]
fn an_unwritable_file_degrades_the_server_until_it_is_writable() {
    let receiver = Receiver::start();
    let home = Home::new();
    let server = limitable(&home, &receiver);
    server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 500}))]));
    let run = server.trigger("slow", json!({}));
    server.reaches(&run, "RUNNING");
    limit(&server, "1");

    let refused = server.post("/api/workflows/slow/trigger", &json!({}));
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (503, &json!("store_unavailable")),
        "{}",
        refused.body
    );
    assert!(refused.header("retry-after").is_some());
    assert!(
        !refused.body.contains("orchestrator.db"),
        "the text of the database is not in the response"
    );
    for path in ["/health", "/health/ready"] {
        let health = get(format!("{}{path}", server.url));
        assert_eq!((health.status, &health.json()["database"]), (503, &json!("failed")), "{path}");
    }
    assert_eq!(get(format!("{}/health/live", server.url)).status, 200, "a restart would not help");
    assert_eq!(server.run(&run)["status"], "RUNNING", "reads continue");
    // Telemetry continues and records the errors.
    let failed = [("db_operation_name", "INSERT"), ("error_type", "io")];
    poll::until(TIMEOUT, || {
        server.metric("db_client_operation_duration_seconds_count", &failed) >= 1.0
    });
    let trace = refused.json()["traceId"].as_str().unwrap().to_owned();
    let statement = poll::until(TIMEOUT, || {
        receiver
            .kit_spans()
            .iter()
            .find(|span| span.trace_id == trace && span.name == "INSERT workflow_runs")
            .cloned()
    });
    assert_eq!(statement.text("error.type"), "io");
    assert!(statement.status.starts_with("Error"), "{statement:?}");

    limit(&server, "unlimited");
    server.reaches(&run, "SUCCESS");
    poll::until(TIMEOUT, || get(format!("{}/health/ready", server.url)).status == 200);
    let again = server.trigger("slow", json!({}));
    server.reaches(&again, "SUCCESS");
    server.stop();
}
