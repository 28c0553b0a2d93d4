//! The webhook route in this process, with a chosen reminder time and seeds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use orchestrator::agents::builtin::{AgentSettings, builtin_agents};
use orchestrator::engine::{Engine, Options};
use orchestrator::security::Secrets;
use orchestrator::seed;
use orchestrator::store::sqlite::SqliteStore;
use orchestrator::webhook::route::{WebhookState, router};
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct Edge {
    state: WebhookState,
    _folder: tempfile::TempDir,
}

impl Edge {
    async fn new(bind: &str, seeded: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.db");
        let store = Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap());
        let agents = builtin_agents(&AgentSettings::default(), &Secrets::default()).unwrap();
        if seeded {
            seed::insert_seeds(&*store, &agents).await.unwrap();
        }
        let engine = Engine::new(store, agents, Options::default());
        Self {
            state: WebhookState::new(engine, &Secrets::default(), bind.parse().unwrap()),
            _folder: folder,
        }
    }

    async fn send(&self, body: Value) -> (StatusCode, Value) {
        let app = axum::Router::from(router(self.state.clone()));
        let request =
            Request::put("/api/webhooks/grafana").body(Body::from(body.to_string())).unwrap();
        let response = app.oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }
}

fn firing() -> Value {
    json!({ "alerts": [{ "status": "firing", "fingerprint": "a" }] })
}

#[tokio::test]
async fn without_the_workflow_an_alert_is_a_404() {
    let edge = Edge::new("127.0.0.1:9002", false).await;
    let (status, response) = edge.send(firing()).await;
    assert_eq!((status, &response["error"]), (StatusCode::NOT_FOUND, &json!("Workflow not found")));
}

#[tokio::test]
async fn an_incident_that_still_fires_after_the_reminder_time_starts_another_run() {
    let mut edge = Edge::new("127.0.0.1:9002", true).await;
    let run = async |edge: &Edge| edge.send(firing()).await.1["workflowRuns"][0].clone();
    let first = run(&edge).await;
    let second = run(&edge).await;
    assert_eq!((&second["deduplicated"], &second["id"]), (&json!(true), &first["id"]));
    edge.state.remind_after = Duration::ZERO;
    let third = run(&edge).await;
    assert_eq!(third["deduplicated"], false);
    assert_ne!(third["id"], first["id"]);
}

#[tokio::test]
async fn without_a_secret_only_loopback_is_open() {
    for (bind, status) in [
        ("127.0.0.1:9002", 200),
        ("[::1]:9002", 200),
        ("0.0.0.0:9002", 401),
        ("10.0.0.1:9002", 401),
    ] {
        assert_eq!(Edge::new(bind, true).await.send(firing()).await.0.as_u16(), status, "{bind}");
    }
}

#[tokio::test]
async fn a_draining_server_returns_503_so_that_grafana_retries() {
    let edge = Edge::new("127.0.0.1:9002", true).await;
    edge.state.engine.drain(Duration::ZERO).await;
    let (status, response) = edge.send(firing()).await;
    assert_eq!((status, &response["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("draining")));
}
