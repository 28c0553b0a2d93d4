//! The pictures of docs/images: `just screenshots`.

use crate::server::{Server, TIMEOUT};
use hub_otel_tests::browser::Browser;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::Receiver;
use serde_json::{Value, json};
use std::path::Path;

/// Files with secrets for the scanner and the patcher.
const FILES: [(&str, &str); 2] = [
    ("config.txt", "region = eu-central-1\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"),
    ("deploy.env", "API_TOKEN=ghp_0123456789abcdefghijABCDEFGHIJ012345\n"),
];

/// A workflow with parallel agents, a retry, and an agent that is still executing.
fn release() -> Value {
    let fault = |id: &str, action: &str, after: &[&str], input: Value| {
        json!({ "id": id, "agent": "fault", "action": action, "dependsOn": after, "input": input,
            "retry": { "maxAttempts": 3, "initialDelayMs": 300, "maxDelayMs": 600 } })
    };
    let unstable = json!({ "latency_ms": 250, "retryable": true, "error_type": "rate_limited" });
    json!({ "name": "release-check", "nodes": [
        { "id": "scan", "agent": "scanner", "action": "scan", "input": { "path": ".", "hold_ms": 400 } },
        fault("build", "succeed", &["scan"], json!({ "latency_ms": 1_300 })),
        fault("tests", "flaky", &["scan"], unstable),
        { "id": "report", "agent": "notifier", "action": "notify", "dependsOn": ["tests"],
          "input": { "channel": "console", "message": "tests are green" } },
        fault("soak", "succeed", &["build"], json!({ "latency_ms": 600_000 })),
    ] })
}

/// A workflow whose runs take about a second, of which some fail.
fn ingest() -> Value {
    let input = json!({ "latency_ms": 900, "rate": 0.4, "error_type": "unavailable" });
    json!({ "name": "ingest", "nodes": [
        { "id": "load", "agent": "fault", "action": "random", "input": input, "retry": { "maxAttempts": 1 } },
    ] })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the pictures of the documentation"]
async fn screenshots() {
    let browser = Browser::start(1280, 800).await.unwrap();
    let receiver = Receiver::start();
    let server = Server::start(&[
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.endpoint()),
    ])
    .await;
    for (name, text) in FILES {
        std::fs::write(server.folder.path().join("scanned").join(name), text).unwrap();
    }
    let none = json!({});
    // Some history for the charts of the health.
    assert_eq!(server.post("/api/workflows", &ingest()).await.0, 201);
    for _ in 0..24 {
        let run = server.trigger("ingest", &none).await;
        server.ended(&run).await;
    }
    for (workflow, times) in [("scan-and-notify", 3), ("diamond", 2), ("test-failure", 1)] {
        for _ in 0..times {
            let run = server.trigger(workflow, &none).await;
            server.ended(&run).await;
        }
    }
    let failed = server.runs("test-failure").await[0]["id"].as_str().unwrap().to_owned();
    let waiting = server.trigger("patch-with-approval", &none).await;
    poll::until_async(TIMEOUT, async || {
        let (_, run) = server.get(&format!("/api/runs/{waiting}")).await;
        run["status"] == "WAITING_APPROVAL"
    })
    .await;
    assert_eq!(server.post("/api/workflows", &release()).await.0, 201);
    let running = server.trigger("release-check", &none).await;
    poll::until_async(TIMEOUT, async || {
        let (_, run) = server.get(&format!("/api/runs/{running}")).await;
        let nodes = run["nodes"].as_array().unwrap();
        nodes.iter().filter(|node| node["status"] == "SUCCESS").count() == 4
    })
    .await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images");
    std::fs::create_dir_all(&folder).unwrap();
    browser.page.goto(&server.url).await.unwrap();
    for scheme in ["light", "dark"] {
        browser.emulate(1280, 720, scheme).await;
        for (name, view, text) in [
            ("runs", format!("#/runs/{failed}"), "fault · fail"),
            ("run", format!("#/runs/{running}"), "fault · succeed"),
            ("approvals", "#/approvals".to_owned(), "aws-access-key-id"),
            // Sampled every few seconds.
            ("health", "#/health".to_owned(), "scanner ("),
        ] {
            browser.page.goto(&format!("{}/{view}", server.url)).await.unwrap();
            browser.wait_for_text(text).await;
            match name {
                "runs" => {
                    browser.click(".line", "fault · fail").await;
                    browser.wait_for_text("injected by the action").await;
                }
                "run" => {
                    browser.click(".line", "fault · flaky").await;
                    browser.wait_for_text("agent.retry.count").await;
                }
                _ => {}
            }
            let path = folder.join(format!("live-{name}-{scheme}.png"));
            std::fs::write(path, browser.screenshot().await).unwrap();
        }
    }
    browser.close().await;
}
