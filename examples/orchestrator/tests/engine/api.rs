//! The HTTP API: responses to valid and invalid requests, and their OpenAPI document.

use crate::server::{Home, Server, TIMEOUT, fault};
use hub_otel_tests::http::Method;
use hub_otel_tests::poll;
use serde_json::{Value, json};

on_both_databases!(
    every_error_has_its_status_and_its_code,
    the_same_key_returns_the_same_run_and_another_body_is_a_conflict,
    a_cancelled_run_stops_at_once_and_a_retry_is_a_new_run,
    a_failing_agent_fails_its_run_and_dependent_nodes_do_not_start,
    lists_are_paged_newest_first_with_times_in_rfc_3339,
    the_document_names_every_route_and_every_route_is_in_the_document,
    beyond_loopback_the_api_requires_a_token_and_probes_do_not,
);

fn code(server: &Server, method: Method, path: &str, body: &str) -> (u16, String) {
    let reply = server.send(method, path, &[], body);
    let error = reply.json();
    assert!(error["error"].is_string(), "{path}: {error}");
    assert_eq!(error["traceId"].as_str().map(str::len), Some(32), "{path}: {error}");
    (reply.status, error["code"].as_str().unwrap().to_owned())
}

fn every_error_has_its_status_and_its_code(home: Home) {
    let server = home.serve(None, &[]);
    let post = |path: &str, body: &str| code(&server, Method::POST, path, body);
    let get = |path: &str| code(&server, Method::GET, path, "");
    let rejected = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(get("/api/workflows/unknown"), rejected(404, "workflow_not_found"));
    assert_eq!(get("/api/workflows/unknown/runs"), rejected(404, "workflow_not_found"));
    assert_eq!(get("/api/runs/unknown"), rejected(404, "run_not_found"));
    assert_eq!(get("/api/nothing"), rejected(404, "no_such_route"));
    assert_eq!(get("/api/workflows?limit=0"), rejected(400, "invalid_query"));
    assert_eq!(get("/api/workflows?limit=x"), rejected(400, "invalid_query"));
    assert_eq!(code(&server, Method::DELETE, "/health", ""), rejected(405, "method_not_allowed"));
    let trigger = "/api/workflows/test-failure/trigger";
    assert_eq!(post("/api/workflows/unknown/trigger", "{}"), rejected(404, "workflow_not_found"));
    assert_eq!(post(trigger, "{"), rejected(400, "invalid_json"));
    assert_eq!(post(trigger, &"[".repeat(10_000)), rejected(400, "invalid_json"));
    assert_eq!(post(trigger, r#"{"contextJson":[]}"#), rejected(422, "invalid_body"));
    assert_eq!(post(trigger, r#"{"contextJsn":{}}"#), rejected(422, "invalid_body"));
    assert_eq!(
        post(trigger, &format!("\"{}\"", "x".repeat(300_000))),
        rejected(413, "payload_too_large")
    );
    assert_eq!(post("/api/runs/unknown/cancel", ""), rejected(404, "run_not_found"));
    assert_eq!(post("/api/runs/unknown/retry", ""), rejected(404, "run_not_found"));
    let node = |agent: &str, action: &str, after: &str, input: &str| {
        let nodes = json!([{"id": "a", "agent": agent, "action": action, "dependsOn": [after], "input": input}]);
        let nodes =
            if after.is_empty() { json!([fault("a", action, &[], json!(input))]) } else { nodes };
        json!({"name": "bad", "nodes": nodes}).to_string()
    };
    assert_eq!(post("/api/workflows", &node("fault", "fail", "a", "")), rejected(422, "cycle"));
    assert_eq!(
        post("/api/workflows", &node("unknown", "fail", "a", "")),
        rejected(422, "unknown_agent")
    );
    assert_eq!(
        post("/api/workflows", &node("fault", "fly", "a", "")),
        rejected(422, "unknown_action")
    );
    assert_eq!(
        post("/api/workflows", &node("fault", "fail", "z", "")),
        rejected(422, "unknown_dependency")
    );
    assert_eq!(
        post("/api/workflows", &node("fault", "fail", "", "{{ x")),
        rejected(422, "bad_template")
    );
    server.create("twice", json!([fault("a", "succeed", &[], json!({}))]));
    let again =
        json!({"name": "twice", "nodes": [fault("a", "succeed", &[], json!({}))]}).to_string();
    assert_eq!(post("/api/workflows", &again), rejected(409, "name_taken"));
    server.stop();
}

fn the_same_key_returns_the_same_run_and_another_body_is_a_conflict(home: Home) {
    let server = home.serve(None, &[]);
    server.create("keyed", json!([fault("a", "succeed", &[], json!({}))]));
    let trigger_with = |key: &str, body: &str| {
        let reply = server.send(
            Method::POST,
            "/api/workflows/keyed/trigger",
            &[("idempotency-key", key)],
            body,
        );
        (reply.status, reply.json())
    };
    let (status, first) = trigger_with("k1", r#"{"contextJson":{"a":1,"b":2}}"#);
    assert_eq!(status, 202);
    server.reaches(first["workflowRunId"].as_str().unwrap(), "SUCCESS");
    let (status, again) = trigger_with("k1", r#"{ "contextJson": {"b":2,"a":1} }"#);
    assert_eq!((status, &again["workflowRunId"]), (202, &first["workflowRunId"]));
    assert_eq!(again["status"], "SUCCESS", "where it stands now");
    let (status, other) = trigger_with("k1", r#"{"contextJson":{"a":2}}"#);
    assert_eq!((status, other["code"].as_str()), (409, Some("idempotency_conflict")));
    assert_eq!(trigger_with("", "{}").0, 400);
    assert_eq!(trigger_with(&"k".repeat(256), "{}").0, 400);
    let runs = server.get("/api/workflows/keyed/runs");
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
    server.stop();
}

fn a_cancelled_run_stops_at_once_and_a_retry_is_a_new_run(home: Home) {
    let server = home.serve(None, &[]);
    let nodes =
        json!([fault("a", "hang", &[], json!({})), fault("b", "succeed", &["a"], json!({}))]);
    server.create("endless", nodes);
    let run = server.trigger("endless", json!({"x": 1}));
    server.reaches(&run, "RUNNING");
    assert_eq!(
        server.post(&format!("/api/runs/{run}/retry"), &json!({})).status,
        409,
        "it has not ended"
    );
    let cancelled = server.post(&format!("/api/runs/{run}/cancel"), &json!({}));
    assert_eq!((cancelled.status, cancelled.json()["status"].clone()), (200, json!("CANCELLED")));
    poll::until(TIMEOUT, || server.metric("workflows_active", &[]) == 0.0);
    assert_eq!(server.metric("workflow_runs_total", &[("status", "CANCELLED")]), 1.0);
    let retried = server.post(&format!("/api/runs/{run}/retry"), &json!({}));
    assert_eq!(retried.status, 202);
    let again = retried.json()["workflowRunId"].as_str().unwrap().to_owned();
    assert_ne!(again, run);
    let again = server.run(&again);
    assert_eq!((&again["trigger"], &again["retryOf"]), (&json!("retry"), &json!(run)));
    assert_eq!(again["contextJson"], json!({"x": 1}));
    assert_eq!(server.run(&run)["status"], "CANCELLED", "a terminal state never changes");
    let good = server.trigger("scan-and-notify", json!({}));
    server.reaches(&good, "SUCCESS");
    assert_eq!(
        server.post(&format!("/api/runs/{good}/retry"), &json!({})).status,
        409,
        "nothing to retry"
    );
    server.kill();
}

fn a_failing_agent_fails_its_run_and_dependent_nodes_do_not_start(home: Home) {
    let server = home.serve(None, &[]);
    let nodes = json!([
        fault("ok", "succeed", &[], json!({})),
        fault("bad", "fail", &["ok"], json!({"retryable": false})),
        fault("after", "succeed", &["bad"], json!({})),
    ]);
    server.create("breaks", nodes);
    let run = server.trigger("breaks", json!({}));
    let run = server.reaches(&run, "FAILED");
    let nodes: Vec<_> = run["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].clone(), node["status"].clone()))
        .collect();
    assert_eq!(nodes, [(json!("ok"), json!("SUCCESS")), (json!("bad"), json!("FAILED"))]);
    assert_eq!(run["nodes"][1]["attempts"], 1, "an error that is not retryable is not retried");
    server.create("stubborn", json!([fault("bad", "fail", &[], json!({"retryable": true}))]));
    let run = server.trigger("stubborn", json!({}));
    assert_eq!(server.reaches(&run, "FAILED")["nodes"][0]["attempts"], 3);
    assert_eq!(server.metric("agent_retry_count_total", &[]), 2.0);
    assert_eq!(
        server.metric("agent_runs_total", &[("status", "FAILED")]),
        2.0,
        "attempts are not runs"
    );
    let missing = json!([fault("a", "succeed", &[], json!({"latency_ms": "{{ nope }}"}))]);
    server.create("undefined", missing);
    let run = server.trigger("undefined", json!({}));
    let run = server.reaches(&run, "FAILED");
    assert_eq!(run["errorType"], "template");
    assert!(run["error"].as_str().unwrap().contains("`nope` is undefined"), "{run:#}");
    server.stop();
}

fn lists_are_paged_newest_first_with_times_in_rfc_3339(home: Home) {
    let server = home.serve(None, &[]);
    server.create("many", json!([fault("a", "succeed", &[], json!({}))]));
    let ids: Vec<_> = (0..5).map(|_| server.trigger("many", json!({}))).collect();
    let mut seen = Vec::new();
    let mut cursor = json!("");
    while let Some(after) = cursor.as_str() {
        let after = if after.is_empty() { String::new() } else { format!("&cursor={after}") };
        let page = server.get(&format!("/api/workflows/many/runs?limit=2{after}"));
        // A run that starts between two pages does not shift the second one.
        server.trigger("many", json!({}));
        seen.extend(
            page["runs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["id"].as_str().unwrap().to_owned()),
        );
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(seen, ids.iter().rev().cloned().collect::<Vec<_>>());
    let run = server.reaches(&ids[0], "SUCCESS");
    for key in ["createdAt", "startedAt", "finishedAt"] {
        assert!(
            orchestrator::clock::Timestamp::parse(run[key].as_str().unwrap()).is_some(),
            "{key}: {run:#}"
        );
    }
    let done = server.get("/api/workflows/many/runs?status=FAILED");
    assert_eq!(done["runs"], json!([]));
    server.stop();
}

fn the_document_names_every_route_and_every_route_is_in_the_document(home: Home) {
    let server = home.serve(None, &[]);
    let document = server.get("/openapi.json");
    let mut operations: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    operations.sort();
    let expected = [
        "get /api/approvals",
        "get /api/runs/{id}",
        "get /api/workflows",
        "get /api/workflows/{name}",
        "get /api/workflows/{name}/runs",
        "get /health",
        "get /health/live",
        "get /health/ready",
        "post /api/approvals/{id}/decision",
        "post /api/runs/{id}/cancel",
        "post /api/runs/{id}/retry",
        "post /api/webhooks/grafana",
        "post /api/workflows",
        "post /api/workflows/{name}/trigger",
        "put /api/webhooks/grafana",
    ];
    assert_eq!(operations, expected);
    let ids: std::collections::BTreeSet<_> = operations
        .iter()
        .map(|operation| {
            let (method, path) = operation.split_once(' ').unwrap();
            document["paths"][path][method]["operationId"].as_str().unwrap()
        })
        .collect();
    assert_eq!(ids.len(), operations.len(), "an id of its own for each: {ids:?}");
    for operation in &operations {
        let (method, path) = operation.split_once(' ').unwrap();
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let path = path.replace("{name}", "unknown").replace("{id}", "unknown");
        let reply = server.send(method, &path, &[], "{}");
        let answer: Value = if reply.body.is_empty() { Value::Null } else { reply.json() };
        assert_ne!(answer["code"], "no_such_route", "{operation}");
        assert_ne!(reply.status, 405, "{operation}");
        let documented = &document["paths"][operation.split_once(' ').unwrap().1]
            [operation.split_once(' ').unwrap().0]["responses"];
        assert!(
            documented.get(reply.status.to_string()).is_some(),
            "{operation}: {} {}",
            reply.status,
            reply.body
        );
    }
    server.stop();
}

fn beyond_loopback_the_api_requires_a_token_and_probes_do_not(home: Home) {
    let mut serve = home.command(&[]);
    serve
        .env("HUB_API_TOKEN", "s3cret")
        .env("OTEL_TRACES_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none");
    let process = hub_otel_tests::process::Process::spawn(&mut serve);
    let line = process.line(TIMEOUT, "  API ");
    let url = line.split_whitespace().nth(1).unwrap().to_owned();
    let status_of = |path: &str, headers: &[(&str, &str)]| {
        hub_otel_tests::http::try_send(Method::GET, format!("{url}{path}"), headers, "")
            .unwrap()
            .status
    };
    assert_eq!(status_of("/api/workflows", &[]), 401);
    assert_eq!(status_of("/api/workflows", &[("authorization", "Bearer wrong")]), 401);
    assert_eq!(status_of("/api/workflows", &[("authorization", "Bearer s3cret")]), 200);
    assert_eq!(status_of("/health/live", &[]), 200);
}
