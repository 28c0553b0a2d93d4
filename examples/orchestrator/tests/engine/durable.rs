//! Durability of runs: kill -9 at any time, SIGTERM under load, a database that cannot be written.

use crate::server::{Home, TIMEOUT, fault, with_approval};
use crate::trace_snapshot::render_run;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::Receiver;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

on_both_databases!(
    a_run_fails_after_three_crashes,
    after_twenty_kills_no_run_is_lost_and_no_stored_node_is_executed_again,
    a_run_interrupted_by_a_crash_is_two_linked_segments_and_counts_once,
    sigterm_under_load_completes_or_hands_back_every_run,
);

fn chain() -> Value {
    let wait = |ms: u64| json!({"latency_ms": ms});
    json!([
        fault("a", "succeed", &[], wait(15)),
        fault("b", "succeed", &["a"], wait(25)),
        fault("c", "succeed", &["a"], wait(5)),
        fault("d", "succeed", &["b", "c"], wait(15)),
    ])
}

fn after_twenty_kills_no_run_is_lost_and_no_stored_node_is_executed_again(home: Home) {
    let receiver = Receiver::start();
    let mut runs = Vec::new();
    let mut moment = 7_u64;
    // Shorter than the time until the next server, so that runs crash repeatedly.
    let lease = ["--lease", "100ms"];
    for _ in 0..20 {
        let server = home.serve(Some(&receiver), &lease);
        server.create("chain", chain());
        runs.extend((0..3).map(|_| server.trigger("chain", json!({}))));
        // After another number of results each time, from a fixed sequence.
        moment =
            moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let enough = (moment >> 33) % 12;
        let newest = format!("/api/workflows/chain/runs?limit={}", runs.len().min(6));
        poll::until(TIMEOUT, || {
            let page = server.get(&newest);
            let nodes = page["runs"].as_array().unwrap().iter().map(|run| &run["nodes"]);
            nodes.map(|nodes| nodes.as_array().unwrap().len() as u64).sum::<u64>() >= enough
        });
        server.kill();
    }
    let server = home.serve(Some(&receiver), &lease);
    let mut ended = BTreeMap::new();
    for id in &runs {
        let run = server.ended(id);
        let good = run["status"] == "SUCCESS" && run["nodes"].as_array().map(Vec::len) == Some(4);
        let looped = run["errorType"] == "crash_loop" && run["crashes"] == 3;
        assert!(good || looped, "{run:#}");
        *ended.entry(run["status"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        for node in run["nodes"].as_array().unwrap() {
            let key = format!("{id}/{}", node["id"].as_str().unwrap());
            let finished = node["finishedAt"].as_str().unwrap();
            let finished = orchestrator::clock::Timestamp::parse(finished).unwrap();
            let spans = receiver.kit_spans();
            for span in spans.iter().filter(|span| span.text("agent.run.id") == key) {
                let started = span.start.duration_since(UNIX_EPOCH).unwrap().as_millis();
                assert!(
                    i64::try_from(started).unwrap() <= finished.0,
                    "{key} was committed at {finished} and ran again: {span:?}"
                );
            }
        }
    }
    assert!(ended["SUCCESS"] >= runs.len() / 2, "{ended:?}");
    server.stop();
}

fn a_run_fails_after_three_crashes(home: Home) {
    let mut run = String::new();
    let lease = ["--lease", "500ms"];
    for _ in 0..3 {
        let server = home.serve(None, &lease);
        if run.is_empty() {
            let gated = with_approval(fault("b", "succeed", &[], json!({})));
            server.create("deadly", json!([fault("a", "hang", &[], json!({})), gated]));
            run = server.trigger("deadly", json!({}));
        }
        poll::until(TIMEOUT, || {
            let owned = server.get("/health")["activeRuns"] == 1;
            let pending = server.get("/api/approvals?decision=PENDING");
            owned && server.run(&run)["status"] == "RUNNING" && pending["approvals"][0].is_object()
        });
        server.kill();
    }
    let server = home.serve(None, &lease);
    let ended = server.reaches(&run, "FAILED");
    assert_eq!((&ended["errorType"], &ended["crashes"]), (&json!("crash_loop"), &json!(3)));
    assert_eq!(server.metric("workflow_runs_total", &[("status", "FAILED")]), 1.0);
    assert_eq!(server.metric("workflow_errors_total", &[("error_type", "crash_loop")]), 1.0);
    let decided = "workflow_approval_wait_time_milliseconds_count";
    assert_eq!(server.metric(decided, &[("decision", "CANCELLED")]), 1.0);
    assert_eq!(server.metric("workflows_active", &[]), 0.0);
    server.stop();
}

fn a_run_interrupted_by_a_crash_is_two_linked_segments_and_counts_once(home: Home) {
    let receiver = Receiver::start();
    let first = home.serve(Some(&receiver), &["--lease", "500ms"]);
    let nodes = json!([
        fault("a", "succeed", &[], json!({})),
        fault("b", "succeed", &["a"], json!({"latency_ms": 1500}))
    ]);
    first.create("two", nodes);
    let run = first.trigger("two", json!({}));
    poll::until(TIMEOUT, || {
        first.run(&run)["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1)
    });
    // Only exported spans survive a kill: wait for the span of the first node.
    let agent_run = format!("{run}/a");
    let sent = || receiver.kit_spans().iter().any(|span| span.text("agent.run.id") == agent_run);
    poll::until(TIMEOUT, sent);
    first.kill();
    let second = home.serve(Some(&receiver), &["--lease", "500ms"]);
    let ended = second.reaches(&run, "SUCCESS");
    assert_eq!(ended["crashes"], 1);
    assert_eq!(second.metric("workflow_runs_total", &[("status", "SUCCESS")]), 1.0);
    second.stop();
    // The segment of the crashed process was not exported: its ended children have no parent, and
    // the next segment links to it.
    assert_eq!(
        render_run(&receiver, &run, false),
        "POST /api/workflows/{name}/trigger 202\n\
         agent.execute fault.succeed SUCCESS\n\
         workflow.execute two SUCCESS -> ?\n\
         \x20 agent.execute fault.succeed SUCCESS\n"
    );
    let spans = receiver.kit_spans();
    let a = spans.iter().find(|span| span.text("agent.run.id") == format!("{run}/a")).unwrap();
    let resumed = spans.iter().find(|span| span.name == "workflow.execute").unwrap();
    assert_eq!(
        resumed.links,
        std::slice::from_ref(&a.parent_id),
        "linked to the segment of the crashed process"
    );
}

fn sigterm_under_load_completes_or_hands_back_every_run(home: Home) {
    let receiver = Receiver::start();
    let mut runs = Vec::new();
    let mut interrupted = Vec::new();
    for drain in ["20s", "100ms"] {
        let server = home.serve(Some(&receiver), &["--drain-timeout", drain]);
        server.create("chain", chain());
        server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 700}))]));
        server.create("slower", json!([fault("a", "succeed", &[], json!({"latency_ms": 5000}))]));
        if drain == "100ms" {
            // In progress at the signal on the slowest machine too.
            let run = server.trigger("slower", json!({}));
            server.reaches(&run, "RUNNING");
            interrupted.push(run);
        }
        runs.extend(
            (0..20).map(|index| {
                server.trigger(if index % 4 == 0 { "slow" } else { "chain" }, json!({}))
            }),
        );
        server.stop();
    }
    let server = home.serve(Some(&receiver), &[]);
    for id in runs.iter().chain(&interrupted) {
        let run = server.reaches(id, "SUCCESS");
        assert_eq!(run["crashes"], 0, "handed back is not crashed: {run:#}");
    }
    server.stop();
    let spans = receiver.kit_spans();
    let ended = |id: &str, status: &str| {
        let of = |span: &&hub_otel::testing::Span| {
            span.text("workflow.run.id") == id && span.text("workflow.status") == status
        };
        spans.iter().filter(|span| span.name == "workflow.execute").filter(of).count()
    };
    for id in runs.iter().chain(&interrupted) {
        assert_eq!(ended(id, "SUCCESS"), 1, "{id} ended once");
    }
    for id in &interrupted {
        assert_eq!(ended(id, "SUSPENDED"), 1, "{id} was handed back");
    }
}

#[test]
fn several_signals_at_once_are_one_clean_shutdown() {
    let receiver = Receiver::start();
    let home = Home::new();
    let mut server = home.serve(Some(&receiver), &[]);
    server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 1200}))]));
    let run = server.trigger("slow", json!({}));
    server.reaches(&run, "RUNNING");
    // The signals of `timeout`, a shell and a supervisor together.
    server.process.terminate();
    server.process.interrupt();
    server.process.terminate();
    assert!(server.process.exit(TIMEOUT).success(), "{}", server.process.stderr());
    let output = server.process.stderr();
    assert_eq!(
        output.matches("shutting down, a second signal stops immediately").count(),
        1,
        "{output}"
    );
    assert_eq!(output.matches("[OpenTelemetry] Shutdown complete").count(), 1, "{output}");
    // The run ended before the drain timeout, and the exporters were closed after it.
    let expected = "POST /api/workflows/{name}/trigger 202\n\
                    \x20 workflow.execute slow SUCCESS\n\
                    \x20   agent.execute fault.succeed SUCCESS\n";
    assert_eq!(render_run(&receiver, &run, false), expected);
    let server = home.serve(None, &[]);
    assert_eq!(server.run(&run)["status"], "SUCCESS");
    server.stop();
}

#[test]
fn a_draining_server_reports_it_and_a_second_signal_stops_it() {
    let home = Home::new();
    let mut server = home.serve(None, &[]);
    server.create("endless", json!([fault("a", "hang", &[], json!({}))]));
    let run = server.trigger("endless", json!({}));
    server.reaches(&run, "RUNNING");
    server.process.terminate();
    let refused = poll::until(TIMEOUT, || {
        let reply = server.post("/api/workflows/endless/trigger", &json!({}));
        (reply.status == 503).then_some(reply)
    });
    assert_eq!(refused.json()["code"], "draining");
    assert!(refused.header("retry-after").is_some());
    let health = hub_otel_tests::http::get(format!("{}/health", server.url));
    assert_eq!((health.status, health.json()["status"].clone()), (503, json!("draining")));
    // Repeated until the process exits: a signal directly after the first is debounced.
    let begun = std::time::Instant::now();
    poll::until(TIMEOUT, || {
        server.process.terminate();
        !server.process.is_running()
    });
    assert_eq!(server.process.exit(TIMEOUT).code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(15), "it did not wait for the 20 s of the drain");
    assert!(
        server.process.stderr().contains("stopped by a second signal"),
        "{}",
        server.process.stderr()
    );
    let server = home.serve(None, &[]);
    // Recovered.
    server.reaches(&run, "RUNNING");
    server.kill();
}

#[test]
fn a_held_database_delays_probes_and_responses_at_most_by_their_deadlines() {
    let home = Home::new();
    let server = home.serve(None, &[]);
    server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 100}))]));
    let before: Vec<_> = (0..10).map(|_| server.trigger("slow", json!({}))).collect();
    let held = home.hold_database();
    std::thread::scope(|scope| {
        let trigger = || {
            let begun = Instant::now();
            let reply = server.post("/api/workflows/slow/trigger", &json!({}));
            (reply.status, begun.elapsed())
        };
        let triggers: Vec<_> = (0..40).map(|_| scope.spawn(trigger)).collect();
        for path in ["/health/ready", "/health", "/health/ready", "/health/live"] {
            let begun = Instant::now();
            hub_otel_tests::http::get(format!("{}{path}", server.url));
            assert!(begun.elapsed() < Duration::from_secs(5), "{path}: {:?}", begun.elapsed());
        }
        for trigger in triggers {
            let (status, took) = trigger.join().unwrap();
            assert_eq!(status, 503);
            assert!(took < Duration::from_secs(25), "{took:?}");
        }
    });
    drop(held);
    before.iter().for_each(|run| drop(server.reaches(run, "SUCCESS")));
    server.stop();
}

#[test]
fn a_locked_database_degrades_the_server_and_loses_no_run() {
    let home = Home::new();
    let server = home.serve(None, &[]);
    server.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 300}))]));
    let run = server.trigger("slow", json!({}));
    let held = home.hold_database();
    let refused = server.post("/api/workflows/slow/trigger", &json!({}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("store_unavailable")));
    let health = hub_otel_tests::http::get(format!("{}/health", server.url));
    assert_eq!((health.status, health.json()["database"].clone()), (503, json!("failed")));
    assert_eq!(
        server.run(&run)["status"].as_str().map(crate::server::is_terminal),
        Some(false),
        "reads continue"
    );
    drop(held);
    server.reaches(&run, "SUCCESS");
    poll::until(TIMEOUT, || {
        hub_otel_tests::http::get(format!("{}/health", server.url)).status == 200
    });
    server.stop();
}
