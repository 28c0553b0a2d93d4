//! Runs that wait for their start, as gauges.

use crate::server::{Home, Server, TIMEOUT, fault};
use hub_otel_tests::poll;
use orchestrator::clock::Timestamp;
use serde_json::json;

/// Returns the number of runs that wait, and the age of the oldest in seconds.
fn queue(server: &Server) -> (f64, f64) {
    let metric = |name| server.metric(name, &[("workflow_id", "quick")]);
    (metric("workflow_queue_pending"), metric("workflow_queue_oldest_age_seconds"))
}

/// Waits until a number of runs is reported. Returns the age of the oldest.
fn reported(server: &Server, number: f64) -> f64 {
    poll::until(TIMEOUT, || {
        let (pending, age) = queue(server);
        (pending == number).then_some(age)
    })
}

fn create_quick(server: &Server) {
    server.create("quick", json!([fault("a", "succeed", &[], json!({}))]));
}

/// Stores two runs that another process accepted 90 s ago. It hangs, and its lease is long.
fn runs_of_a_process_that_hangs_are_reported_until_another_one_starts_them(home: Home) {
    let server = home.serve(None, &[]);
    create_quick(&server);
    let created = Timestamp::now().0 - 90_000;
    let runs = [(); 2].map(|()| uuid::Uuid::now_v7().to_string());
    // The id of the owner is greater than that of the server, whose lease is the oldest.
    home.execute("INSERT INTO owners VALUES ('z', 9000000000000, 2)".to_owned());
    for run in &runs {
        home.execute(format!(
            "INSERT INTO workflow_runs (id, workflow, trigger, context, status, owner, created_at) \
             VALUES ('{run}', 'quick', 'manual', '{{}}', 'PENDING', 'z', {created})"
        ));
    }
    let age = reported(&server, 2.0);
    assert!((90.0..90.0 + TIMEOUT.as_secs_f64()).contains(&age), "{age}");
    assert_eq!(server.run(&runs[0])["status"], "PENDING");
    home.execute("UPDATE owners SET expires_at = 0 WHERE id = 'z'".to_owned());
    runs.iter().for_each(|run| drop(server.reaches(run, "SUCCESS")));
    assert_eq!(reported(&server, 0.0), 0.0);
    server.stop();
}

#[test]
fn runs_that_wait_are_reported_until_they_start_from_a_file() {
    runs_of_a_process_that_hangs_are_reported_until_another_one_starts_them(Home::new());
}

#[test]
fn runs_that_wait_are_reported_until_they_start_from_postgres() {
    let Some(home) = Home::postgres() else { return };
    runs_of_a_process_that_hangs_are_reported_until_another_one_starts_them(home);
}

#[cfg(feature = "dbos")]
#[test]
fn a_run_that_waits_for_a_slot_of_dbos_is_reported_until_it_starts() {
    let Some(home) = Home::dbos() else { return };
    let server = home.serve(None, &["--slots", "1"]);
    create_quick(&server);
    server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 100_000}))]));
    let busy = server.trigger("slow", json!({}));
    server.reaches(&busy, "RUNNING");
    let waiting = server.trigger("quick", json!({}));
    let age = reported(&server, 1.0);
    assert!(age < TIMEOUT.as_secs_f64(), "{age}");
    assert_eq!(server.run(&waiting)["status"], "PENDING");
    let executing = server.metric("workflow_queue_pending", &[("workflow_id", "slow")]);
    assert_eq!(executing, 0.0, "a run that executes does not wait");
    let cancel = server.post(&format!("/api/runs/{busy}/cancel"), &json!({}));
    assert_eq!(cancel.status, 200, "{}", cancel.body);
    server.reaches(&waiting, "SUCCESS");
    assert_eq!(reported(&server, 0.0), 0.0);
    server.stop();
}
