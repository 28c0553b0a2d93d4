//! Several servers on one database file: a run is executed by its owner only.

use crate::server::{Home, TIMEOUT, fault};
use hub_otel_tests::poll;
use serde_json::json;

const LEASE: [&str; 2] = ["--lease", "2s"];

#[test]
fn a_second_server_leaves_the_runs_of_the_first_alone() {
    let home = Home::new();
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
    let ends = |server: &crate::server::Server| {
        server.metric("workflow_runs_total", &[("workflow_id", "slow")])
    };
    poll::until(TIMEOUT, || ends(&first) == 1.0);
    assert_eq!(ends(&second), 0.0);
    let delivered = |server: &crate::server::Server| {
        server.process.stderr().matches("DELIVERED").count()
            + server.process.stdout().matches("DELIVERED").count()
    };
    assert!(delivered(&first) >= 1);
    assert_eq!(delivered(&second), 0);
    second.stop();
    first.stop();
}

#[test]
fn servers_that_come_and_go_do_not_blame_a_healthy_run() {
    let home = Home::new();
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

#[test]
fn another_server_takes_over_the_runs_of_a_killed_one() {
    let home = Home::new();
    let first = home.serve(None, &LEASE);
    let second = home.serve(None, &LEASE);
    first.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 1000}))]));
    let run = first.trigger("slow", json!({}));
    first.reaches(&run, "RUNNING");
    first.kill();
    let ended = second.reaches(&run, "SUCCESS");
    assert_eq!(ended["crashes"], 1);
    poll::until(TIMEOUT, || {
        second.metric("workflow_runs_total", &[("workflow_id", "slow")]) == 1.0
    });
    second.stop();
}

#[test]
fn a_run_is_cancelled_and_decided_through_another_server() {
    let home = Home::new();
    let first = home.serve(None, &LEASE);
    let second = home.serve(None, &LEASE);
    let mut asks = fault("asks", "succeed", &[], json!({}));
    asks["requiresApproval"] = json!(true);
    first.create("both", json!([asks, fault("hangs", "hang", &[], json!({}))]));
    let run = first.trigger("both", json!({}));
    let asked = poll::until(TIMEOUT, || {
        second.get("/api/approvals?decision=PENDING")["approvals"][0]["id"]
            .as_str()
            .map(str::to_owned)
    });
    let decision = json!({"decision": "APPROVED", "respondedBy": "ada"});
    let path = format!("/api/approvals/{asked}/decision");
    assert_eq!(second.post(&path, &decision).status, 200);
    poll::until(TIMEOUT, || first.run(&run)["nodes"][0]["id"] == "asks");
    assert_eq!(second.post(&format!("/api/runs/{run}/cancel"), &json!({})).status, 200);
    poll::until(TIMEOUT, || first.get("/health")["activeRuns"] == 0);
    let ends = |server: &crate::server::Server| {
        server.metric("workflow_runs_total", &[("workflow_id", "both")])
    };
    assert_eq!((ends(&first), ends(&second)), (0.0, 1.0), "counted where it was cancelled");
    first.stop();
    second.stop();
}
