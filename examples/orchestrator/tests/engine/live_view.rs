//! The live view of one server, to which the other servers on the database send their spans.

use crate::server::{Home, Server, TIMEOUT, fault, with_approval};
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use serde_json::{Value, json};
use std::collections::HashSet;

on_both_databases!(
    a_run_in_three_processes_is_one_tree_in_the_view_of_one_of_them,
    a_run_of_a_killed_process_continues_in_the_view_of_another_one,
);

const LEASE: [&str; 2] = ["--lease", "2s"];

/// Starts a server that sends its spans to the view of another one, as the README states it.
fn serve_sending(home: &Home, view: &Server) -> Server {
    let mut serve = home.command(&LEASE);
    serve
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", view.url))
        .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
        .env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")
        .env("OTEL_LOGS_EXPORTER", "none")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    Server::start(Process::spawn(&mut serve))
}

/// Waits for the end of a run with a number of segments in the view. Returns the run and its rows.
fn shown(view: &Server, run: &str, segments: u64) -> (Value, Vec<Value>) {
    let found = poll::until(TIMEOUT, || {
        let updates = view.get(&format!("/live/updates?run={run}"));
        let runs = updates["runs"].as_array().unwrap();
        let of_run: Vec<_> = runs.iter().filter(|it| it["key"] == run).collect();
        assert!(of_run.len() <= 1, "{updates}");
        let is_complete = of_run.first()?["segments"] == segments
            && of_run[0]["ended"].is_u64()
            && of_run[0]["agentsEnded"] == of_run[0]["agentsStarted"];
        is_complete.then(|| (of_run[0].clone(), updates["detail"]["spans"].clone()))
    });
    (found.0, found.1.as_array().unwrap().clone())
}

fn of_kind<'a>(rows: &'a [Value], kind: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["kind"] == kind).collect()
}

fn a_run_in_three_processes_is_one_tree_in_the_view_of_one_of_them(home: Home) {
    let first = home.serve(None, &LEASE);
    let second = serve_sending(&home, &first);
    let third = serve_sending(&home, &first);
    let nodes = [
        fault("a", "succeed", &[], json!({})),
        with_approval(fault("b", "succeed", &["a"], json!({}))),
        with_approval(fault("c", "succeed", &["b"], json!({}))),
    ];
    first.create("three", json!(nodes));
    let run = first.trigger("three", json!({}));
    // With leases the process that accepts the run or the decision executes the next segment.
    first.reaches(&run, "WAITING_APPROVAL");
    second.approve(&run);
    poll::until(TIMEOUT, || first.run(&run)["nodes"].as_array().unwrap().len() == 2);
    first.reaches(&run, "WAITING_APPROVAL");
    third.approve(&run);
    first.reaches(&run, "SUCCESS");

    let (of_run, rows) = shown(&first, &run, 3);
    assert_eq!((&of_run["state"], &of_run["agentsEnded"]), (&"success".into(), &3.into()));
    let ids: HashSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rows.len(), "no span twice");
    let segments = of_kind(&rows, "workflow");
    let ends: Vec<_> = segments.iter().filter(|row| row["state"] == "success").collect();
    assert_eq!((segments.len(), ends.len()), (3, 1), "{rows:#?}");
    let agents = of_kind(&rows, "agent");
    let parents: HashSet<_> = agents.iter().map(|row| row["parent"].as_str().unwrap()).collect();
    let expected: HashSet<_> = segments.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(parents, expected, "each segment has its node");
    let links: Vec<_> =
        segments.iter().filter_map(|row| row["links"].as_array()).flatten().collect();
    assert_eq!(links.len(), 2, "{rows:#?}");
    assert!(links.iter().all(|link| expected.contains(link.as_str().unwrap())), "{rows:#?}");
    let processes: HashSet<_> = agents.iter().map(|row| row["process"][1].as_str()).collect();
    // DBOS distributes the segments as it likes.
    if !home.is_dbos() {
        assert_eq!(processes.len(), 3, "{rows:#?}");
        assert!(processes.contains(&None), "the node of this process has no other one");
    }
    third.stop();
    second.stop();
    first.stop();
}

fn a_run_of_a_killed_process_continues_in_the_view_of_another_one(home: Home) {
    let home_of_view = Home::new();
    let view = home_of_view.serve(None, &[]);
    let killed = serve_sending(&home, &view);
    let slow = fault("b", "succeed", &["a"], json!({"latency_ms": 1500}));
    killed.create("two", json!([fault("a", "succeed", &[], json!({})), slow]));
    let run = killed.trigger("two", json!({}));
    // The node of the first process is in the view before the process ends.
    poll::until(TIMEOUT, || {
        let updates = view.get(&format!("/live/updates?run={run}"));
        let agents = of_kind(updates["detail"]["spans"].as_array().unwrap(), "agent").len();
        (agents == 1).then(|| assert_eq!(updates["runs"][0]["state"], "running"))
    });
    // Its result is stored after that: a node that is not committed is executed again.
    poll::until(TIMEOUT, || killed.run(&run)["nodes"].as_array().unwrap().len() == 1);
    killed.kill();
    let second = serve_sending(&home, &view);
    second.reaches(&run, "SUCCESS");
    let (of_run, rows) = shown(&view, &run, 1);
    assert_eq!((&of_run["state"], &of_run["agentsEnded"]), (&"success".into(), &2.into()));
    assert_eq!(of_kind(&rows, "agent").len(), 2, "{rows:#?}");
    second.stop();
    view.stop();
}
