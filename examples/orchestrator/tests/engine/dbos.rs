//! The engine on DBOS: guards against behaviour of the crate, and a run in several processes.
//! docs/adr/0008-durable-engine.md lists them.

use crate::server::{Home, Server, TIMEOUT, fault, with_approval};
use crate::trace_snapshot::render_run;
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};

/// Longer than every test: a process without its lock has ended.
const LONG_LEASE: [&str; 2] = ["--lease", "10m"];

/// Executes a statement of the database. Returns the first column as text.
pub(crate) fn query(home: &Home, sql: &'static str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(home.database_url()).await.unwrap();
        let rows = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows
    })
}

fn slow(milliseconds: u64) -> Value {
    json!([fault("a", "succeed", &[], json!({"latency_ms": milliseconds}))])
}

#[test]
fn every_process_is_an_executor_of_its_own() {
    let Some(home) = Home::dbos() else { return };
    let first = home.serve(None, &LONG_LEASE);
    let second = home.serve(None, &LONG_LEASE);
    first.create("quick", slow(0));
    for server in [&first, &second] {
        let run = server.trigger("quick", json!({}));
        server.reaches(&run, "SUCCESS");
    }
    let executors = query(&home, "SELECT DISTINCT executor_id FROM dbos.workflow_status");
    let owners = query(&home, "SELECT id FROM owners");
    assert!(executors.iter().all(|id| owners.contains(id)), "{executors:?} {owners:?}");
    second.stop();
    first.stop();
}

#[test]
fn a_killed_process_is_taken_over_long_before_its_lease_expires() {
    let Some(home) = Home::dbos() else { return };
    let first = home.serve(None, &LONG_LEASE);
    first.create("slow", slow(6000));
    let runs: Vec<_> = (0..3).map(|_| first.trigger("slow", json!({}))).collect();
    runs.iter().for_each(|run| drop(first.reaches(run, "RUNNING")));
    let second = home.serve(None, &LONG_LEASE);
    first.kill();
    for run in &runs {
        assert_eq!(second.reaches(run, "SUCCESS")["crashes"], 1);
    }
    let ends = || second.metric("workflow_runs_total", &[("workflow_id", "slow")]);
    poll::until(TIMEOUT, || ends() == 3.0);
    second.stop();
}

#[test]
fn a_run_that_waits_for_an_approval_holds_no_slot() {
    let Some(home) = Home::dbos() else { return };
    let server = home.serve(None, &["--slots", "1"]);
    server.create("gated", json!([with_approval(fault("a", "succeed", &[], json!({})))]));
    server.create("quick", slow(0));
    let waiting = server.trigger("gated", json!({}));
    server.reaches(&waiting, "WAITING_APPROVAL");
    let quick = server.trigger("quick", json!({}));
    server.reaches(&quick, "SUCCESS");
    server.approve(&waiting);
    server.reaches(&waiting, "SUCCESS");
    server.stop();
}

#[test]
fn a_stopped_process_hands_its_runs_over() {
    let Some(home) = Home::dbos() else { return };
    let first = home.serve(None, &["--lease", "10m", "--drain-timeout", "100ms"]);
    first.create("slow", slow(6000));
    let runs: Vec<_> = (0..3).map(|_| first.trigger("slow", json!({}))).collect();
    runs.iter().for_each(|run| drop(first.reaches(run, "RUNNING")));
    let second = home.serve(None, &LONG_LEASE);
    first.stop();
    for run in &runs {
        assert_eq!(second.reaches(run, "SUCCESS")["crashes"], 0, "handed over is not crashed");
    }
    second.stop();
}

#[test]
fn a_run_of_another_version_is_continued() {
    let Some(home) = Home::dbos() else { return };
    let first = home.serve(None, &LONG_LEASE);
    let nodes = json!([
        fault("a", "succeed", &[], json!({})),
        fault("b", "succeed", &["a"], json!({"latency_ms": 1500})),
    ]);
    first.create("two", nodes);
    let run = first.trigger("two", json!({}));
    poll::until(TIMEOUT, || first.run(&run)["nodes"].as_array().unwrap().len() == 1);
    first.kill();
    let before = query(
        &home,
        "UPDATE dbos.workflow_status SET application_version = 'graph-0' RETURNING workflow_uuid",
    );
    assert_eq!(before, [format!("{run}/0")]);
    let second = home.serve(None, &LONG_LEASE);
    second.reaches(&run, "SUCCESS");
    second.stop();
}

/// Assigns an execution in the queue to an executor by a statement, and waits for its run.
fn an_assigned_execution_is_queued_again(assign: &'static str) {
    let Some(home) = Home::dbos() else { return };
    let server = home.serve(None, &["--slots", "1", "--lease", "10m"]);
    server.create("slow", slow(1500));
    let first = server.trigger("slow", json!({}));
    server.reaches(&first, "RUNNING");
    // Waits for the only slot.
    let second = server.trigger("slow", json!({}));
    let assigned = poll::until(TIMEOUT, || {
        let rows = query(&home, assign);
        (!rows.is_empty()).then_some(rows)
    });
    assert_eq!(assigned, [format!("{second}/0")]);
    server.reaches(&second, "SUCCESS");
    server.stop();
}

#[test]
fn an_execution_that_was_assigned_and_not_started_is_queued_again() {
    an_assigned_execution_is_queued_again(
        "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = (SELECT id FROM \
         owners LIMIT 1) WHERE status = 'ENQUEUED' RETURNING workflow_uuid",
    );
}

#[test]
fn an_execution_of_an_unknown_process_is_queued_again() {
    an_assigned_execution_is_queued_again(
        "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = 'nobody' \
         WHERE status = 'ENQUEUED' RETURNING workflow_uuid",
    );
}

#[test]
fn an_execution_that_was_lost_is_enqueued_again() {
    let Some(home) = Home::dbos() else { return };
    let first = home.serve(None, &["--slots", "1", "--lease", "10m"]);
    first.create("slow", slow(1500));
    let runs: Vec<_> = (0..2).map(|_| first.trigger("slow", json!({}))).collect();
    poll::until(TIMEOUT, || query(&home, "SELECT status FROM dbos.workflow_status").len() == 2);
    first.kill();
    // One execution is gone, the other one claims that it has ended.
    query(
        &home,
        "DELETE FROM dbos.workflow_status WHERE status = 'ENQUEUED' RETURNING workflow_uuid",
    );
    query(&home, "UPDATE dbos.workflow_status SET status = 'SUCCESS' RETURNING workflow_uuid");
    let second = home.serve(None, &LONG_LEASE);
    runs.iter().for_each(|run| drop(second.reaches(run, "SUCCESS")));
    second.stop();
}

#[test]
fn a_request_does_not_wait_for_dbos() {
    let Some(home) = Home::dbos() else { return };
    let server = home.serve(None, &[]);
    server.create("gated", json!([with_approval(fault("a", "succeed", &[], json!({})))]));
    server.create("quick", slow(0));
    let [approved, cancelled] = [(); 2].map(|()| server.trigger("gated", json!({})));
    for run in [&approved, &cancelled] {
        server.reaches(run, "WAITING_APPROVAL");
    }
    let held = home.hold_executions();
    let begun = Instant::now();
    let triggered = server.trigger("quick", json!({}));
    server.approve(&approved);
    let reply = server.post(&format!("/api/runs/{cancelled}/cancel"), &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    // The limit of one operation of DBOS is 5 s.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(server.run(&triggered)["status"], "PENDING", "DBOS does not respond");
    drop(held);
    server.reaches(&approved, "SUCCESS");
    server.reaches(&triggered, "SUCCESS");
    server.stop();
}

#[test]
fn a_lease_is_renewed_while_dbos_does_not_respond() {
    let Some(home) = Home::dbos() else { return };
    let arguments = ["--lease", "2s", "--slots", "2"];
    let (first, second) = (home.serve(None, &arguments), home.serve(None, &arguments));
    first.create("slow", slow(10_000));
    let runs: Vec<_> = (0..4).map(|_| first.trigger("slow", json!({}))).collect();
    runs.iter().for_each(|run| drop(first.reaches(run, "RUNNING")));
    // Each would take over the runs of the other.
    assert_eq!([&first, &second].map(|server| server.get("/health")["activeRuns"] == 2), [true; 2]);
    let held = home.hold_executions();
    let begun = Instant::now();
    poll::until(TIMEOUT, || begun.elapsed() > Duration::from_secs(8));
    drop(held);
    for run in &runs {
        assert_eq!(first.reaches(run, "SUCCESS")["crashes"], 0);
    }
    second.stop();
    first.stop();
}

#[test]
fn processes_that_start_at_once_prepare_one_database() {
    let Some(home) = Home::dbos() else { return };
    let processes = [(); 3].map(|()| {
        let mut serve = home.command(&[]);
        serve.env("OTEL_TRACES_EXPORTER", "none").env("OTEL_LOGS_EXPORTER", "none");
        Process::spawn(&mut serve)
    });
    let servers = processes.map(Server::start);
    servers[0].create("quick", slow(0));
    for server in &servers {
        let run = server.trigger("quick", json!({}));
        server.reaches(&run, "SUCCESS");
    }
    servers.into_iter().for_each(Server::stop);
}

#[test]
fn a_run_in_three_processes_is_one_trace_with_resolved_links() {
    let Some(home) = Home::dbos() else { return };
    let receiver = Receiver::start();
    let first = home.serve(Some(&receiver), &[]);
    let nodes = json!([
        fault("a", "succeed", &[], json!({})),
        with_approval(fault("b", "succeed", &["a"], json!({}))),
        with_approval(fault("c", "succeed", &["b"], json!({}))),
    ]);
    first.create("three", nodes);
    let run = first.trigger("three", json!({}));
    first.reaches(&run, "WAITING_APPROVAL");
    first.stop();
    let second = home.serve(Some(&receiver), &[]);
    second.approve(&run);
    poll::until(TIMEOUT, || second.run(&run)["nodes"].as_array().unwrap().len() == 2);
    second.reaches(&run, "WAITING_APPROVAL");
    second.stop();
    let third = home.serve(Some(&receiver), &[]);
    third.approve(&run);
    third.reaches(&run, "SUCCESS");
    third.stop();
    assert_eq!(
        render_run(&receiver, &run, false),
        "POST /api/workflows/{name}/trigger 202\n\
         \x20 workflow.execute three SUSPENDED\n\
         \x20   agent.execute fault.succeed SUCCESS\n\
         POST /api/approvals/{id}/decision 200\n\
         \x20 workflow.approval APPROVED -> workflow.execute\n\
         \x20 workflow.execute three SUSPENDED -> workflow.execute\n\
         \x20   agent.execute fault.succeed SUCCESS\n\
         POST /api/approvals/{id}/decision 200\n\
         \x20 workflow.approval APPROVED -> workflow.execute\n\
         \x20 workflow.execute three SUCCESS -> workflow.execute\n\
         \x20   agent.execute fault.succeed SUCCESS\n"
    );
    // Spans of DBOS are not exported.
    let names: Vec<_> = receiver.kit_spans().iter().map(|span| span.name.to_string()).collect();
    for name in ["queues", "queue", "workflow"] {
        assert!(!names.iter().any(|exported| exported == name), "{names:?}");
    }
}
