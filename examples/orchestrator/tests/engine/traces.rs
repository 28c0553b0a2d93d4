//! Telemetry of a run: traces, logs, metrics.

use crate::server::{Home, TIMEOUT, fault};
use crate::trace_snapshot::render_run;
use hub_otel::testing::Value;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::{Receiver, hex, text};
use serde_json::json;
use std::io::Write as _;

on_both_databases!(
    a_triggered_run_is_one_trace_with_logs_and_metrics,
    the_sides_of_a_diamond_run_in_parallel_and_the_retry_is_recorded,
    an_alert_is_one_trace_from_the_webhook_to_its_delivery,
    a_disconnected_client_cancels_its_request_and_the_run_continues,
    an_agent_that_panics_or_hangs_fails_only_its_run,
);

/// Removes the reads of decisions that another process may have stored: one per second.
fn without_polls(trace: &str) -> String {
    trace.replace("    SELECT approvals\n", "")
}

fn a_triggered_run_is_one_trace_with_logs_and_metrics(home: Home) {
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &[]);
    // The counters are zero before the first run.
    for status in ["SUCCESS", "FAILED", "TIMED_OUT"] {
        let labels = [("workflow_id", "scan-and-notify"), ("status", status)];
        let scrape = hub_otel_tests::scrape::Scrape::of(&*server.metrics);
        assert_eq!(scrape.value("workflow_runs_total", &labels), Some(0.0), "{status}");
    }
    let good = server.trigger("scan-and-notify", json!({"repository": "."}));
    let scanned = server.reaches(&good, "SUCCESS");
    assert_eq!(scanned["nodes"][0]["output"]["total"], 1, "{scanned:#}");
    let bad = server.trigger("test-failure", json!({}));
    let failed = server.reaches(&bad, "FAILED");
    assert_eq!(failed["errorType"], "fault_injected");

    // A scrape can return cached metrics.
    let runs = |status| server.metric("workflow_runs_total", &[("status", status)]);
    poll::until(TIMEOUT, || (runs("SUCCESS"), runs("FAILED")) == (1.0, 1.0));
    assert_eq!(server.metric("workflows_active", &[]), 0.0);
    assert_eq!(
        server.metric("workflow_duration_milliseconds_count", &[("status", "SUCCESS")]),
        1.0
    );
    assert_eq!(server.metric("agent_duration_milliseconds_count", &[]), 3.0);
    assert_eq!(server.metric("workflow_errors_total", &[("error_type", "fault_injected")]), 1.0);
    server.stop();

    assert_eq!(
        without_polls(&render_run(&receiver, &good, true)),
        "POST /api/workflows/{name}/trigger 202\n\
         \x20 SELECT workflows\n\
         \x20 INSERT workflow_runs\n\
         \x20 workflow.execute scan-and-notify SUCCESS\n\
         \x20   UPDATE workflow_runs\n\
         \x20   agent.execute scanner.scan SUCCESS\n\
         \x20   INSERT node_results\n\
         \x20   agent.execute notifier.notify SUCCESS\n\
         \x20   INSERT node_results\n\
         \x20   UPDATE workflow_runs\n"
    );
    assert_eq!(
        render_run(&receiver, &bad, false),
        "POST /api/workflows/{name}/trigger 202\n\
         \x20 workflow.execute test-failure FAILED\n\
         \x20   agent.execute fault.fail FAILED\n"
    );
    let spans = receiver.kit_spans();
    let of = |name: &str, run: &str| {
        spans.iter().find(|span| span.name == name && span.text("workflow.run.id") == run).unwrap()
    };
    let workflow = of("workflow.execute", &good);
    assert_eq!(workflow.text("workflow.id"), "scan-and-notify");
    assert_eq!(workflow.text("workflow.name"), "scan-and-notify");
    assert_eq!(workflow.text("workflow.trigger"), "manual");
    assert!(matches!(workflow.attributes["workflow.duration.ms"], Value::Int(_)));
    assert_eq!((workflow.kind.as_str(), workflow.status.as_str()), ("Internal", "Ok"));
    let failed = of("agent.execute", &bad);
    assert_eq!(failed.text("agent.run.id"), format!("{bad}/fail"));
    assert_eq!(failed.text("workflow.id"), "test-failure");
    assert_eq!(failed.text("error.type"), "fault_injected");
    assert!(!failed.text("error.message").is_empty());
    assert!(matches!(failed.attributes["agent.duration.ms"], Value::Int(_)));
    assert!(failed.status.starts_with("Error"), "{failed:?}");
    let events: Vec<_> = failed.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["exception"]);
    assert!(
        spans
            .iter()
            .any(|span| span.name == "POST /api/workflows/{name}/trigger" && span.kind == "Server")
    );
    assert!(spans.iter().any(|span| span.name == "INSERT workflow_runs" && span.kind == "Client"));

    let resource = &receiver.spans()[0].resource.attributes.clone();
    assert_eq!(text(resource, "service.name"), Some("orchestration-service"));
    assert_eq!(text(resource, "service.namespace"), Some("commandcenter-hub"));
    let logs = receiver.logs();
    assert!(
        logs.iter().any(|log| hex(&log.trace_id) == workflow.trace_id),
        "a log record of the run's trace"
    );
}

fn the_sides_of_a_diamond_run_in_parallel_and_the_retry_is_recorded(home: Home) {
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &[]);
    let run = server.trigger("diamond", json!({}));
    let run = server.reaches(&run, "SUCCESS");
    let node = |id: &str| {
        run["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id).unwrap().clone()
    };
    assert_eq!(node("right")["attempts"], 2);
    // Each side had started before the other had ended.
    assert!(node("left")["startedAt"].as_str() < node("right")["finishedAt"].as_str());
    assert!(node("right")["startedAt"].as_str() < node("left")["finishedAt"].as_str());
    assert_eq!(server.metric("agent_retry_count_total", &[("agent_id", "fault")]), 1.0);
    server.stop();
    let rendered = render_run(&receiver, run["id"].as_str().unwrap(), false);
    let mut lines: Vec<_> = rendered.lines().collect();
    // The sides start at the same time, in either order.
    lines[3..5].sort_unstable();
    assert_eq!(
        lines.join("\n"),
        "POST /api/workflows/{name}/trigger 202\n\
         \x20 workflow.execute diamond SUCCESS\n\
         \x20   agent.execute fault.succeed SUCCESS\n\
         \x20   agent.execute fault.flaky SUCCESS (agent.retry)\n\
         \x20   agent.execute fault.succeed SUCCESS\n\
         \x20   agent.execute notifier.notify SUCCESS"
    );
}

fn an_alert_is_one_trace_from_the_webhook_to_its_delivery(home: Home) {
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &[]);
    let alert = json!({"status": "firing", "fingerprint": "f", "labels": {"alertname": "Down"}});
    let reply = server.post("/api/webhooks/grafana", &json!({"alerts": [alert]}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let run = reply.json()["workflowRunId"].as_str().unwrap().to_owned();
    server.reaches(&run, "SUCCESS");
    server.stop();
    assert_eq!(
        without_polls(&render_run(&receiver, &run, true)),
        "POST /api/webhooks/grafana 200\n\
         \x20 SELECT workflows\n\
         \x20 INSERT incidents\n\
         \x20 workflow.execute alert-notification SUCCESS\n\
         \x20   UPDATE workflow_runs\n\
         \x20   agent.execute alert-notifier.notify SUCCESS\n\
         \x20   INSERT node_results\n\
         \x20   UPDATE workflow_runs\n"
    );
}

fn a_disconnected_client_cancels_its_request_and_the_run_continues(home: Home) {
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &[]);
    server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 50}))]));
    server.create("probe", json!([fault("a", "succeed", &[], json!({}))]));
    let posts = || server.metric("http_server_active_requests", &[("http_request_method", "POST")]);
    let run = poll::until(TIMEOUT, || {
        // The database is locked: the request waits, and its client disconnects.
        let held = home.hold_database();
        let mut client =
            std::net::TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
        let request = "POST /api/workflows/slow/trigger HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";
        client.write_all(request.as_bytes()).unwrap();
        poll::until(TIMEOUT, || posts() == 1.0);
        drop(client);
        poll::until(TIMEOUT, || posts() == 0.0);
        drop(held);
        // The run was stored before. On a slow machine the store can have timed out.
        poll::until(TIMEOUT, || {
            server.post("/api/workflows/probe/trigger", &json!({})).status == 202
        });
        let runs = server.get("/api/workflows/slow/runs");
        runs["runs"][0]["id"].as_str().map(str::to_owned)
    });
    server.reaches(&run, "SUCCESS");
    poll::until(TIMEOUT, || server.metric("workflows_active", &[]) == 0.0);
    assert_eq!(posts(), 0.0);
    server.stop();
    assert_eq!(
        render_run(&receiver, &run, false),
        "POST /api/workflows/{name}/trigger cancelled\n\
         \x20 workflow.execute slow SUCCESS\n\
         \x20   agent.execute fault.succeed SUCCESS\n"
    );
}

fn an_agent_that_panics_or_hangs_fails_only_its_run(home: Home) {
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &[]);
    server.create("panics", json!([fault("a", "panic", &[], json!({}))]));
    let mut hang = fault("a", "hang", &[], json!({}));
    hang["timeoutMs"] = json!(100);
    server.create("hangs", json!([hang]));
    let slow =
        json!({"name": "late", "timeoutMs": 150, "nodes": [fault("a", "hang", &[], json!({}))]});
    assert_eq!(server.post("/api/workflows", &slow).status, 201);
    let panicked = server.trigger("panics", json!({}));
    let hung = server.trigger("hangs", json!({}));
    let late = server.trigger("late", json!({}));
    assert_eq!(server.reaches(&panicked, "FAILED")["errorType"], "panic");
    // The message names the timeout. Both have the status TIMED_OUT.
    for (run, whose) in
        [(&hung, "node `a` of `hangs`: the agent exceeded"), (&late, "the run exceeded")]
    {
        let run = server.reaches(run, "TIMED_OUT");
        assert_eq!(run["errorType"], "timeout");
        assert!(run["error"].as_str().unwrap().starts_with(whose), "{run:#}");
    }
    assert_eq!(server.run(&hung)["nodes"][0]["status"], "TIMED_OUT");
    poll::until(TIMEOUT, || {
        server.metric("workflow_runs_total", &[("status", "TIMED_OUT")]) == 2.0
    });
    server.stop();
    for (run, expected) in [
        (panicked, "workflow.execute panics FAILED\n    agent.execute fault.panic FAILED\n"),
        (hung, "workflow.execute hangs TIMED_OUT\n    agent.execute fault.hang TIMED_OUT\n"),
        (late, "workflow.execute late TIMED_OUT\n    agent.execute fault.hang CANCELLED\n"),
    ] {
        let rendered = render_run(&receiver, &run, false);
        assert!(rendered.ends_with(expected), "{rendered}");
    }
}
