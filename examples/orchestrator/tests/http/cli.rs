//! Client commands against a real server: stdout, stderr, exit code.

use std::time::Duration;

use serde_json::Value;

use crate::server::{Server, TIMEOUT};

#[tokio::test]
async fn run_prints_only_the_id_and_exits_with_the_result_of_the_run() {
    let server = Server::start(&[]).await;
    let (code, stdout, stderr) = server
        .command(&[
            "run",
            "scan-and-notify",
            "--context",
            "hold_ms=10",
            "--context",
            "repository=.",
            "--wait",
        ])
        .await;
    assert_eq!(code, 0, "{stderr}");
    let id = stdout.trim();
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    assert!(stderr.contains("SUCCESS"), "{stderr}");
    let run = server.ended(id).await;
    assert_eq!(
        (&run["contextJson"]["hold_ms"], &run["trigger"]),
        (&Value::from(10), &Value::from("manual"))
    );

    let (code, stdout, stderr) = server.command(&["run", "test-failure", "--wait"]).await;
    assert_eq!((code, stdout.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains("FAILED"), "{stderr}");
    assert_eq!(
        server.ended(stdout.trim()).await["status"],
        "FAILED",
        "a failing agent fails the run"
    );

    let held =
        ["run", "scan-and-notify", "--context", "hold_ms=30000", "--wait", "--timeout", "300ms"];
    let (code, stdout, _) = server.command(&held).await;
    assert_eq!((code, stdout.lines().count()), (3, 1), "timeout, the run continues");

    let (code, stdout, stderr) = server.command(&["run", "no-such-workflow"]).await;
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("not_found") || stderr.contains("not found"), "{stderr}");
}

#[tokio::test]
async fn a_usage_error_exits_2_and_an_unreachable_server_1() {
    let server = Server::start(&[]).await;
    for wrong in [
        &["run"][..],
        &["run", "w", "--context", "no-equals-sign"],
        &["run", "w", "--timeout", "soon"],
        &["load", "--runs", "1"],
        &["approvals", "approve"],
        &["nonsense"],
    ] {
        assert_eq!(server.command(wrong).await.0, 2, "{wrong:?}");
    }
    let client = |variable: &str, value: &str| {
        let mut client = server.client(&["workflows", "list"]);
        client.env(variable, value).output().unwrap()
    };
    assert_eq!(client("HUB_API_TOKEN_FILE", "/nowhere/at/all").status.code(), Some(2));
    let closed = hub_otel_tests::ports::Closed::new();
    let mut client = hub_otel_tests::process::command(env!("CARGO_BIN_EXE_orchestrator"));
    let output = client.args(["workflows", "list", "--url", &closed.endpoint()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("orchestrator serve"), "{stderr}");
}

#[tokio::test]
async fn workflows_are_listed_and_files_are_validated_without_a_server() {
    let server = Server::start(&[]).await;
    let (code, stdout, _) = server.command(&["workflows", "list"]).await;
    let names: Vec<_> = stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(code, 0);
    let node = serde_json::json!({ "id": "a", "agent": "scanner", "action": "scan" });
    let hostile = serde_json::json!({
        "name": "hostile", "nodes": [node], "description": "d\nFORGED\t\u{1b}[2J\r",
    });
    let create = server.http.post(format!("{}/api/workflows", server.url)).json(&hostile).send();
    assert_eq!(create.await.unwrap().status(), 201);
    let (_, listed, _) = server.command(&["workflows", "list"]).await;
    assert!(
        listed.lines().any(|line| line == r"hostile	d\nFORGED \u{1b}[2J\r".replace(r"\t", "\t")),
        "{listed:?}"
    );
    for seed in ["scan-and-notify", "alert-notification", "test-failure"] {
        assert!(names.contains(&seed), "{names:?}");
    }
    let write = |name: &str, text: &str| {
        let path = server.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let node = r#"{"id":"one","agent":"scanner","action":"scan"}"#;
    let good = write("good.json", &format!(r#"{{"name":"mine","nodes":[{node}]}}"#));
    let bad = write(
        "bad.json",
        &format!(r#"{{"name":"mine","nodes":[{}]}}"#, node.replace("scanner", "scaner")),
    );
    let (code, stdout, _) = server.command(&["workflows", "validate", &good]).await;
    assert_eq!((code, stdout.trim()), (0, "mine"));
    let (code, stdout, stderr) = server.command(&["workflows", "validate", &good, &bad]).await;
    assert_eq!((code, stdout.trim()), (1, "mine"));
    assert!(stderr.contains("bad.json") && stderr.contains("scaner"), "{stderr}");
}

#[tokio::test]
async fn an_approval_is_decided_on_the_command_line() {
    let server = Server::start(&[]).await;
    let workflow = r#"{"name":"patch","nodes":[{"id":"fix","agent":"patcher","action":"apply"}]}"#;
    let create = server
        .http
        .post(format!("{}/api/workflows", server.url))
        .header("content-type", "application/json");
    assert_eq!(create.body(workflow).send().await.unwrap().status(), 201);
    for (answer, ends, code) in [("approve", "SUCCESS", 0), ("reject", "REJECTED", 1)] {
        let mut client = server.client(&["run", "patch", "--wait"]);
        let running = hub_otel_tests::process::Process::spawn(&mut client);
        running.line(TIMEOUT, "WAITING_APPROVAL");
        let (listed, stdout, _) = server.command(&["approvals", "list"]).await;
        assert_eq!((listed, stdout.lines().count()), (0, 1), "{stdout}");
        assert!(stdout.contains("patch/fix\tpatcher.apply"), "{stdout}");
        let id = stdout.split('\t').next().unwrap();
        let (decided, stdout, stderr) =
            server.command(&["approvals", answer, id, "--by", "ada", "--notes", "n"]).await;
        assert_eq!((decided, stdout.trim()), (0, id), "{stderr}");
        let mut running = running;
        let status = tokio::task::spawn_blocking(move || running.exit(Duration::from_secs(60)))
            .await
            .unwrap();
        assert_eq!(status.code(), Some(code), "{ends}");
        let (again, _, stderr) = server.command(&["approvals", answer, id]).await;
        assert_eq!(again, 1, "decided already: {stderr}");
    }
}
