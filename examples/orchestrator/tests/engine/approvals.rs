//! Approvals: required by risk level, decided later, by another process, or never.

use crate::server::{Home, Server, TIMEOUT, fault, with_approval};
use crate::trace_snapshot::render_run;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::Receiver;
use serde_json::{Value, json};

on_both_databases!(
    a_rejection_ends_the_run_and_is_not_a_failure,
    parallel_nodes_continue_and_a_decision_is_applied_at_once,
    cancelling_a_waiting_run_cancels_its_approval,
    a_risky_action_waits_for_an_approval_across_processes,
    an_approval_without_a_decision_expires,
);

fn question(server: &Server, run: &str) -> Value {
    poll::until(TIMEOUT, || {
        let page = server.get("/api/approvals?decision=PENDING");
        page["approvals"]
            .as_array()
            .unwrap()
            .iter()
            .find(|approval| approval["runId"] == run)
            .cloned()
    })
}

fn answer(server: &Server, approval: &Value, decision: &str) -> u16 {
    let path = format!("/api/approvals/{}/decision", approval["id"].as_str().unwrap());
    server
        .post(&path, &json!({"decision": decision, "respondedBy": "ada", "notes": "looked at it"}))
        .status
}

fn a_risky_action_waits_for_an_approval_across_processes(home: Home) {
    let receiver = Receiver::start();
    let first = home.serve(Some(&receiver), &[]);
    let run = first.trigger("patch-with-approval", json!({}));
    first.reaches(&run, "WAITING_APPROVAL");
    let requested = question(&first, &run);
    assert_eq!((&requested["agent"], &requested["action"]), (&json!("patcher"), &json!("apply")));
    assert_eq!(
        requested["input"]["findings"].as_array().map(Vec::len),
        Some(1),
        "the input of the decision"
    );
    poll::until(TIMEOUT, || first.metric("workflow_approval_pending", &[]) == 1.0);
    assert_eq!(first.metric("workflows_active", &[]), 0.0, "a run that waits is not active");
    assert_eq!(first.metric("workflow_runs_total", &[]), 0.0, "and has not ended");
    let queued = "workflow_queue_wait_time_milliseconds_count";
    assert_eq!(first.metric(queued, &[("workflow_id", "patch-with-approval")]), 1.0);
    let leak = || std::fs::read_to_string(home.path().join("scanned/leak.env")).unwrap();
    assert!(leak().contains("AKIA"));
    first.stop();

    let second = home.serve(Some(&receiver), &[]);
    assert_eq!(second.run(&run)["status"], "WAITING_APPROVAL");
    assert_eq!(answer(&second, &requested, "APPROVED"), 200);
    assert_eq!(answer(&second, &requested, "REJECTED"), 409, "decided once");
    second.reaches(&run, "SUCCESS");
    assert!(!leak().contains("AKIA"), "patched");
    assert_eq!(second.metric("workflow_runs_total", &[("status", "SUCCESS")]), 1.0, "counted once");
    assert_eq!(
        second
            .metric("workflow_approval_wait_time_milliseconds_count", &[("decision", "APPROVED")]),
        1.0
    );
    assert_eq!(second.metric(queued, &[]), 0.0, "a run is queued before its first segment only");
    poll::until(TIMEOUT, || second.metric("workflow_approval_pending", &[]) == 0.0);
    second.stop();
    assert_eq!(
        render_run(&receiver, &run, false),
        "POST /api/workflows/{name}/trigger 202\n\
         \x20 workflow.execute patch-with-approval SUSPENDED\n\
         \x20   agent.execute scanner.scan SUCCESS\n\
         POST /api/approvals/{id}/decision 200\n\
         \x20 workflow.approval APPROVED -> workflow.execute\n\
         \x20 workflow.execute patch-with-approval SUCCESS -> workflow.execute\n\
         \x20   agent.execute patcher.apply SUCCESS\n\
         \x20   agent.execute notifier.notify SUCCESS\n"
    );
}

fn a_rejection_ends_the_run_and_is_not_a_failure(home: Home) {
    let server = home.serve(None, &[]);
    let node = with_approval(fault("a", "succeed", &[], json!({})));
    server.create("gated", json!([node]));
    let run = server.trigger("gated", json!({}));
    server.reaches(&run, "WAITING_APPROVAL");
    let requested = question(&server, &run);
    for (body, status) in
        [("{}", 400), ("[]", 400), ("{", 400), (r#"{"decision":"MAYBE","respondedBy":"x"}"#, 400)]
    {
        let path = format!("/api/approvals/{}/decision", requested["id"].as_str().unwrap());
        assert_eq!(
            server.send(hub_otel_tests::http::Method::POST, &path, &[], body).status,
            status,
            "{body}"
        );
    }
    assert_eq!(answer(&server, &requested, "REJECTED"), 200);
    let ended = server.reaches(&run, "REJECTED");
    assert_eq!(ended["nodes"].as_array().map(Vec::len), Some(0));
    poll::until(TIMEOUT, || server.metric("workflow_runs_total", &[("status", "REJECTED")]) == 1.0);
    assert_eq!(server.metric("workflow_errors_total", &[]), 0.0);
    assert_eq!(
        server
            .post(
                "/api/approvals/unknown/decision",
                &json!({"decision": "APPROVED", "respondedBy": "x"})
            )
            .status,
        404
    );
    server.stop();
}

fn an_approval_without_a_decision_expires(home: Home) {
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &["--approval-timeout", "400ms"]);
    let run = server.trigger("patch-with-approval", json!({}));
    let ended = server.reaches(&run, "TIMED_OUT");
    assert_eq!(ended["errorType"], "approval_expired");
    let expired = &server.get("/api/approvals?decision=EXPIRED")["approvals"][0];
    assert_eq!(expired["runId"], run.as_str());
    assert_eq!(answer(&server, expired, "APPROVED"), 410);
    poll::until(TIMEOUT, || {
        server.metric("workflow_runs_total", &[("status", "TIMED_OUT")]) == 1.0
    });
    assert_eq!(
        server.metric("workflow_approval_wait_time_milliseconds_count", &[("decision", "EXPIRED")]),
        1.0
    );
    assert_eq!(server.metric("workflow_errors_total", &[("error_type", "approval_expired")]), 1.0);
    server.stop();
}

fn parallel_nodes_continue_and_a_decision_is_applied_at_once(home: Home) {
    let server = home.serve(None, &[]);
    let gated = with_approval(fault("gated", "succeed", &[], json!({})));
    let busy = fault("busy", "succeed", &[], json!({"latency_ms": 2500}));
    server.create("both", json!([gated, busy]));
    let run = server.trigger("both", json!({}));
    let requested = question(&server, &run);
    assert_eq!(server.run(&run)["status"], "RUNNING", "the other node is busy");
    assert_eq!(answer(&server, &requested, "APPROVED"), 200);
    let ended = server.reaches(&run, "SUCCESS");
    let order: Vec<_> =
        ended["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    assert_eq!(order, ["gated", "busy"], "it did not wait for the busy one");
    server.stop();
}

fn cancelling_a_waiting_run_cancels_its_approval(home: Home) {
    let server = home.serve(None, &[]);
    let run = server.trigger("patch-with-approval", json!({}));
    server.reaches(&run, "WAITING_APPROVAL");
    let requested = question(&server, &run);
    assert_eq!(server.post(&format!("/api/runs/{run}/cancel"), &json!({})).status, 200);
    assert_eq!(server.run(&run)["status"], "CANCELLED");
    assert_eq!(answer(&server, &requested, "APPROVED"), 409);
    assert_eq!(server.metric("workflow_runs_total", &[("status", "CANCELLED")]), 1.0);
    assert_eq!(
        server
            .metric("workflow_approval_wait_time_milliseconds_count", &[("decision", "CANCELLED")]),
        1.0
    );
    assert_eq!(
        server.post(&format!("/api/runs/{run}/cancel"), &json!({})).status,
        409,
        "a terminal state stays"
    );
    server.stop();
}
