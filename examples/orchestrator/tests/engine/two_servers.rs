//! Several servers on one database file: a run is executed by its owner only.

use crate::server::{Home, Server, TIMEOUT, fault, with_approval};
use hub_otel_tests::poll;
use serde_json::json;

on_both_databases!(
    a_second_server_leaves_the_runs_of_the_first_alone,
    servers_that_come_and_go_do_not_blame_a_healthy_run,
    another_server_takes_over_the_runs_of_a_killed_one,
    a_run_is_cancelled_and_decided_through_another_server,
    pending_approvals_are_reported_by_one_server,
);

const LEASE: [&str; 2] = ["--lease", "2s"];

fn a_second_server_leaves_the_runs_of_the_first_alone(home: Home) {
    let first = home.serve(None, &LEASE);
    let wait = fault("wait", "succeed", &[], json!({"latency_ms": 2500}));
    let tell = json!({"id": "tell", "agent": "notifier", "action": "notify", "dependsOn": ["wait"],
        "input": {"channel": "console", "message": "DELIVERED"}});
    first.create("slow", json!([wait, tell]));
    let run = first.trigger("slow", json!({}));
    first.reaches(&run, "RUNNING");
    let second = home.serve(None, &LEASE);
    let ended = first.reaches(&run, "SUCCESS");
    assert_eq!(ended["crashes"], 0);
    let ends = |server: &Server| server.metric("workflow_runs_total", &[("workflow_id", "slow")]);
    poll::until(TIMEOUT, || ends(&first) == 1.0);
    assert_eq!(ends(&second), 0.0);
    let delivered = |server: &Server| {
        server.process.stderr().matches("DELIVERED").count()
            + server.process.stdout().matches("DELIVERED").count()
    };
    assert!(delivered(&first) >= 1);
    assert_eq!(delivered(&second), 0);
    second.stop();
    first.stop();
}

fn servers_that_come_and_go_do_not_blame_a_healthy_run(home: Home) {
    let first = home.serve(None, &LEASE);
    first.create("endless", json!([fault("a", "hang", &[], json!({}))]));
    let run = first.trigger("endless", json!({}));
    first.reaches(&run, "RUNNING");
    for _ in 0..3 {
        home.serve(None, &LEASE).kill();
        let run = first.run(&run);
        assert_eq!((&run["status"], &run["crashes"]), (&json!("RUNNING"), &json!(0)));
    }
    assert_eq!(first.get("/health")["activeRuns"], 1);
    first.kill();
}

fn another_server_takes_over_the_runs_of_a_killed_one(home: Home) {
    let first = home.serve(None, &LEASE);
    let second = home.serve(None, &LEASE);
    first.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 1000}))]));
    let run = first.trigger("slow", json!({}));
    first.reaches(&run, "RUNNING");
    // With leases the process that accepted the run, with DBOS any one.
    let is_first = first.get("/health")["activeRuns"] == 1;
    let (executes, other) = if is_first { (first, second) } else { (second, first) };
    executes.kill();
    let ended = other.reaches(&run, "SUCCESS");
    assert_eq!(ended["crashes"], 1);
    poll::until(TIMEOUT, || other.metric("workflow_runs_total", &[("workflow_id", "slow")]) == 1.0);
    other.stop();
}

fn a_run_is_cancelled_and_decided_through_another_server(home: Home) {
    let first = home.serve(None, &LEASE);
    let second = home.serve(None, &LEASE);
    let gated = with_approval(fault("gated", "succeed", &[], json!({})));
    first.create("both", json!([gated, fault("hangs", "hang", &[], json!({}))]));
    let run = first.trigger("both", json!({}));
    let requested = poll::until(TIMEOUT, || {
        second.get("/api/approvals?decision=PENDING")["approvals"][0]["id"]
            .as_str()
            .map(str::to_owned)
    });
    let decision = json!({"decision": "APPROVED", "respondedBy": "ada"});
    let path = format!("/api/approvals/{requested}/decision");
    assert_eq!(second.post(&path, &decision).status, 200);
    poll::until(TIMEOUT, || first.run(&run)["nodes"][0]["id"] == "gated");
    assert_eq!(second.post(&format!("/api/runs/{run}/cancel"), &json!({})).status, 200);
    poll::until(TIMEOUT, || first.get("/health")["activeRuns"] == 0);
    let ends = |server: &Server| server.metric("workflow_runs_total", &[("workflow_id", "both")]);
    assert_eq!((ends(&first), ends(&second)), (0.0, 1.0), "counted where it was cancelled");
    first.stop();
    second.stop();
}

fn pending_approvals_are_reported_by_one_server(home: Home) {
    let first = home.serve(None, &LEASE);
    let second = home.serve(None, &LEASE);
    first.create("gated", json!([with_approval(fault("a", "succeed", &[], json!({})))]));
    let request = || {
        let run = first.trigger("gated", json!({}));
        first.reaches(&run, "WAITING_APPROVAL");
    };
    let pending = |server: &Server| server.metric("workflow_approval_pending", &[]);
    request();
    poll::until(TIMEOUT, || pending(&first) == 1.0);
    // Each process counts every five seconds: the second one before the first one does again.
    request();
    poll::until(TIMEOUT, || pending(&first) == 2.0);
    assert_eq!(pending(&second), 0.0, "the sum is the number of approvals");
    first.kill();
    poll::until(TIMEOUT, || pending(&second) == 2.0);
    second.stop();
}
