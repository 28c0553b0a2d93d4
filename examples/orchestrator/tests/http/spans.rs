//! Export of a real server: the expected number of spans, without secrets.

use std::collections::BTreeMap;

use hub_otel::semconv::span;
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;

use crate::chat::Chat;
use crate::server::{Server, TIMEOUT, run_to_end};

fn exporting(receiver: &Receiver) -> [(&'static str, String); 4] {
    [
        ("OTEL_TRACES_EXPORTER", "otlp".to_owned()),
        ("OTEL_LOGS_EXPORTER", "otlp".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
        ("OTEL_BSP_SCHEDULE_DELAY", "200".to_owned()),
    ]
}

fn variables<'a>(pairs: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn the_number_of_exported_spans_matches_the_formula() {
    let receiver = Receiver::start();
    let server = Server::start(&variables(&exporting(&receiver))).await;
    let report = server.folder.path().join("report.json");
    let mut bench = server.bench(&["--runs", "20", "--concurrency", "5"]);
    bench.args(["--metrics", &server.metrics, "--json", report.to_str().unwrap()]);
    let (code, _, stderr) = run_to_end(bench).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("ok   spans exported = spans measured"), "{stderr}");

    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for item in receiver.spans() {
        *names.entry(item.name.clone()).or_default() += 1;
    }
    assert_eq!(names.get(span::WORKFLOW_EXECUTE), Some(&20), "one a run: {names:?}");
    assert_eq!(names.get(span::AGENT_EXECUTE), Some(&40), "one a node: {names:?}");
    assert_eq!(
        names.get("POST /api/workflows/{name}/trigger"),
        Some(&20),
        "one a request: {names:?}"
    );
    assert_eq!(names.get("GET /api/workflows/{name}"), Some(&1), "{names:?}");
}

#[tokio::test]
async fn the_load_test_counts_suspended_segments() {
    let receiver = Receiver::start();
    let server = Server::start(&variables(&exporting(&receiver))).await;
    let create = server.http.post(format!("{}/api/workflows", server.url));
    let workflow = r#"{"name":"gated","nodes":[{"id":"a","agent":"fault","action":"succeed","requiresApproval":true}]}"#;
    assert_eq!(create.body(workflow).send().await.unwrap().status(), 201);
    let (metrics, url) = (server.metrics.clone(), server.url.clone());
    let bench = ["--workflow", "gated", "--runs", "4", "--concurrency", "4", "--metrics", &metrics];
    let mut bench = Process::spawn(&mut server.bench(&bench));
    // The load test waits until the server is idle, so no approval is listed before it has started.
    poll::until_async(TIMEOUT, async || {
        receiver.spans().iter().filter(|item| item.name == span::WORKFLOW_EXECUTE).count() == 4
    })
    .await;
    // Decisions by another client: two runs continue in a second segment, two end without one.
    for decision in ["APPROVED", "APPROVED", "REJECTED", "REJECTED"] {
        let id = poll::until_async(TIMEOUT, async || {
            let (_, page) = server.get("/api/approvals?decision=PENDING&limit=1").await;
            page["approvals"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        let body = format!(r#"{{"decision":"{decision}","respondedBy":"ada"}}"#);
        let decide = server.http.post(format!("{url}/api/approvals/{id}/decision")).body(body);
        assert_eq!(decide.send().await.unwrap().status(), 200);
    }
    let (status, bench) =
        tokio::task::spawn_blocking(move || (bench.exit(TIMEOUT), bench)).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", bench.stderr());
    assert!(bench.stderr().contains("ok   spans exported = spans measured"), "{}", bench.stderr());
    let names: Vec<_> = receiver.spans().into_iter().map(|item| item.name.clone()).collect();
    let workflows = names.iter().filter(|name| *name == span::WORKFLOW_EXECUTE).count();
    assert_eq!(workflows, 8, "four suspended, two resumed, two ended: {names:?}");
}

#[tokio::test]
async fn the_path_of_a_chats_webhook_is_in_no_span_no_log_and_no_metric() {
    let (receiver, chat) = (Receiver::start(), Chat::start(vec![]).await);
    let mut pairs = exporting(&receiver).to_vec();
    pairs.push(("SLACK_WEBHOOK_URL", chat.url()));
    pairs.push(("HUB_NOTIFY_ALLOW_HOST", chat.address.to_string()));
    pairs.push(("HUB_NOTIFY_ALLOW_PRIVATE", "true".to_owned()));
    pairs.push(("RUST_LOG", "trace".to_owned()));
    let server = Server::start(&variables(&pairs)).await;
    let (code, _, stderr) =
        server.command(&["run", "scan-and-notify", "--context", "channel=slack", "--wait"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(chat.received()[0].path, "/services/T0/B0/very-secret-path");

    // The request itself is one span below the agent that made it.
    let (post, agents) = poll::until_async(TIMEOUT, async || {
        let spans = receiver.spans();
        let post = spans.iter().find(|item| item.kind == 3 && item.name == "POST").cloned()?;
        let agents: Vec<_> =
            spans.into_iter().filter(|item| item.name == span::AGENT_EXECUTE).collect();
        (agents.len() == 2).then_some((post, agents))
    })
    .await;
    assert!(agents.iter().any(|agent| agent.span_id == post.parent_span_id), "{post:?}");
    for request in receiver.requests() {
        let sent = format!("{request:?}");
        assert!(!sent.contains("very-secret"), "a {:?} request shows the secret", request.signal);
    }
    let metrics = server.http.get(&server.metrics).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("very-secret"));
    assert!(!server.process.stderr().contains("very-secret"), "not even at level trace");
}
