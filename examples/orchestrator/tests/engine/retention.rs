//! Ended runs are deleted after the retention time.

use crate::server::{Home, TIMEOUT, fault, with_approval};
use hub_otel_tests::{http, poll};
use serde_json::json;

on_both_databases!(ended_runs_are_deleted_after_the_retention_time_and_open_ones_stay,);

fn ended_runs_are_deleted_after_the_retention_time_and_open_ones_stay(home: Home) {
    let server = home.serve(None, &["--retention", "1s"]);
    let gated = with_approval(fault("gated", "succeed", &[], json!({})));
    server.create("gated", json!([gated]));
    server.create("hangs", json!([fault("a", "hang", &[], json!({}))]));
    let waiting = server.trigger("gated", json!({}));
    let running = server.trigger("hangs", json!({}));
    server.reaches(&waiting, "WAITING_APPROVAL");
    server.reaches(&running, "RUNNING");
    let ended: Vec<_> = (0..5).map(|_| server.trigger("diamond", json!({}))).collect();
    for run in &ended {
        poll::until(TIMEOUT, || http::get(format!("{}/api/runs/{run}", server.url)).status == 404);
    }
    assert_eq!(server.get("/api/workflows/diamond/runs")["runs"], json!([]));
    assert_eq!(server.run(&waiting)["status"], "WAITING_APPROVAL");
    assert_eq!(server.run(&running)["status"], "RUNNING");
    server.process.line(TIMEOUT, "after the retention time");
    server.kill();
}
