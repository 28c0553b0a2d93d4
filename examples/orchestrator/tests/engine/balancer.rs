//! Two servers behind one port: the balancer of `observability/compose.yaml`, on PostgreSQL with
//! each engine.

use crate::server::{Home, TIMEOUT, fault};
use hub_otel_tests::http::{self, Method};
use hub_otel_tests::process::Process;
use hub_otel_tests::{poll, ports};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

on_several_machines!(a_killed_server_behind_one_port_loses_no_request_and_no_run);

/// Starts HAProxy with the committed configuration and other addresses. Returns `None`, with a
/// message, if it is not installed.
fn balancer(home: &Home, servers: [&str; 2]) -> Option<(Process, String)> {
    let committed =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../observability/balancer/haproxy.cfg");
    let mut text = std::fs::read_to_string(committed).unwrap();
    let port = ports::free();
    text = text.replace("bind :9002", &format!("bind 127.0.0.1:{port}"));
    for (name, url) in ["orchestrator-1:9002", "orchestrator-2:9002"].iter().zip(servers) {
        assert!(text.contains(name), "{text}");
        text = text.replace(name, url.strip_prefix("http://").unwrap());
    }
    let programs = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];
    let Some(program) = programs.into_iter().find(|program| Path::new(program).exists()) else {
        let _ = std::io::stderr().write_all(b"skipped: haproxy\n");
        return None;
    };
    let file = home.path().join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = hub_otel_tests::process::command(program);
    command.arg("-f").arg(file);
    Some((Process::spawn(&mut command), format!("http://127.0.0.1:{port}")))
}

fn a_killed_server_behind_one_port_loses_no_request_and_no_run(home: Home) {
    let arguments = ["--lease", "2s", "--allowed-host", "orchestrator"];
    let (first, second) = (home.serve(None, &arguments), home.serve(None, &arguments));
    let Some((_balancer, url)) = balancer(&home, [&first.url, &second.url]) else { return };
    let get = |path: &str| http::try_send(Method::GET, format!("{url}{path}"), &[], "");
    poll::until(TIMEOUT, || get("/health").is_ok_and(|reply| reply.status == 200));
    first.create("slow", json!([fault("a", "succeed", &[], json!({"latency_ms": 2000}))]));
    let trigger = || {
        let path = format!("{url}/api/workflows/slow/trigger");
        let reply = http::try_send(Method::POST, path, &[], "{}").unwrap();
        assert_eq!(reply.status, 202, "{}", reply.body);
        reply.json()["workflowRunId"].as_str().unwrap().to_owned()
    };
    let mut runs: Vec<_> = (0..20).map(|_| trigger()).collect();
    poll::until(TIMEOUT, || first.get("/health")["activeRuns"] != 0);
    first.kill();
    // A connection that is refused is tried at the other server.
    runs.extend((0..20).map(|_| trigger()));
    for id in &runs {
        let run: Value = poll::until(TIMEOUT, || {
            let run = get(&format!("/api/runs/{id}")).unwrap().json();
            crate::server::is_terminal(run["status"].as_str().unwrap()).then_some(run)
        });
        assert_eq!(run["status"], "SUCCESS", "{run:#}");
    }
    second.stop();
}
