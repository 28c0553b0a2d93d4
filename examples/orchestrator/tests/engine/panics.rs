//! A panic of the execution itself, outside of the call of an agent: the run must not stay RUNNING.

use async_trait::async_trait;
use hub_otel_tests::poll;
use orchestrator::agents::{Agent, AgentContext, AgentError, Registry, RiskLevel};
use orchestrator::domain::{NewRun, RunStatus, Trigger};
use orchestrator::engine::{Durability, Engine, Options};
use orchestrator::store::sqlite::SqliteStore;
use orchestrator::store::{Created, Store};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

struct PanicsOnRisk;

#[async_trait]
impl Agent for PanicsOnRisk {
    fn actions(&self) -> &'static [&'static str] {
        &["act"]
    }

    fn risk(&self, _action: &str) -> RiskLevel {
        panic!("a bug of this agent")
    }

    async fn execute(&self, _context: AgentContext) -> Result<Value, AgentError> {
        Ok(Value::Null)
    }
}

async fn a_panic_ends_the_run(store: Arc<dyn Store>, durability: Durability) {
    let agents = Registry::new().with("bad", Arc::new(PanicsOnRisk));
    let options = Options { durability, ..Options::default() };
    let engine = Engine::new(Arc::clone(&store), agents, options);
    engine.open().await.unwrap();
    let node = json!({"id": "a", "agent": "bad", "action": "act"});
    let workflow = serde_json::from_value(json!({"name": "bad", "nodes": [node]})).unwrap();
    store.create_workflow(&workflow).await.unwrap();
    let run = NewRun::new("bad", Trigger::Manual, serde_json::Map::new());
    let Created::New(run) = engine.trigger(run).await.unwrap() else { panic!("not new") };
    let ended = poll::until_async(Duration::from_secs(60), async || {
        let run = store.run(&run.id).await.unwrap().unwrap();
        run.status.is_terminal().then_some(run)
    });
    let ended = ended.await;
    assert_eq!((ended.status, ended.error_type.as_deref()), (RunStatus::Failed, Some("panic")));
    engine.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_outside_of_an_agent_ends_the_run() {
    let store = Arc::new(SqliteStore::open(":memory:").await.unwrap());
    a_panic_ends_the_run(store, Durability::Leases).await;
}

#[cfg(feature = "dbos")]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_outside_of_an_agent_ends_the_run_on_dbos() {
    use orchestrator::engine::DbosOptions;
    use orchestrator::store::postgres::PostgresStore;
    let Some(cluster) = hub_otel_tests::postgres::Cluster::shared() else { return };
    let url = cluster.create_database().await;
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    let poll = Duration::from_millis(20);
    let options = DbosOptions { database_url: url, slots: 4, poll };
    a_panic_ends_the_run(store, Durability::Dbos(options)).await;
}
