//! A server on free ports, with a database that outlives it.

use hub_otel_tests::http::{self, Method, Reply};
use hub_otel_tests::postgres::Cluster;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{poll, scrape};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use std::path::Path;
use std::time::Duration;

/// Timeout of every wait, long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// A temporary folder with the database and the scanned files.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    /// The database, if it is not in the folder.
    database_url: Option<String>,
    /// Arguments that select the engine.
    engine: &'static [&'static str],
}

#[cfg(feature = "dbos")]
const DBOS: &[&str] = &["--engine", "dbos", "--poll", "20ms"];

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scanned")).unwrap();
        std::fs::write(folder.path().join("scanned/leak.env"), "AWS_KEY=AKIAIOSFODNN7EXAMPLE\n")
            .unwrap();
        Self { folder, database_url: None, engine: &[] }
    }

    /// Uses a new PostgreSQL database. `None` if PostgreSQL is not installed.
    pub(crate) fn postgres() -> Option<Self> {
        let cluster = Cluster::shared()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let database_url = Some(runtime.block_on(cluster.create_database()));
        Some(Self { database_url, ..Self::new() })
    }

    /// Uses this PostgreSQL database, for example through a proxy.
    pub(crate) fn with_database(url: String) -> Self {
        Self { database_url: Some(url), ..Self::new() }
    }

    /// Uses a new PostgreSQL database and the engine DBOS. `None` as [`Self::postgres`].
    #[cfg(feature = "dbos")]
    pub(crate) fn dbos() -> Option<Self> {
        Some(Self { engine: DBOS, ..Self::postgres()? })
    }

    /// Uses this PostgreSQL database and the engine DBOS.
    #[cfg(feature = "dbos")]
    pub(crate) fn on_dbos(url: String) -> Self {
        Self { engine: DBOS, ..Self::with_database(url) }
    }

    /// Returns whether the engine is DBOS.
    pub(crate) fn is_dbos(&self) -> bool {
        self.engine.contains(&"dbos")
    }

    /// The URL of the PostgreSQL database.
    pub(crate) fn database_url(&self) -> &str {
        self.database_url.as_deref().unwrap()
    }

    /// Starts a server with the database of this folder that exports to `receiver`.
    pub(crate) fn serve(&self, receiver: Option<&Receiver>, more: &[&str]) -> Server {
        let mut serve = self.command(more);
        match receiver {
            Some(receiver) => serve
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
                .env("OTEL_BSP_SCHEDULE_DELAY", "50")
                .env("OTEL_BLRP_SCHEDULE_DELAY", "50"),
            None => serve.env("OTEL_TRACES_EXPORTER", "none").env("OTEL_LOGS_EXPORTER", "none"),
        };
        Server::start(Process::spawn(&mut serve))
    }

    /// Prepares the command of a server in this folder.
    pub(crate) fn command(&self, more: &[&str]) -> std::process::Command {
        let mut serve = command(env!("CARGO_BIN_EXE_orchestrator"));
        serve
            .current_dir(self.path())
            .args(["serve", "--bind", "127.0.0.1:0", "--scan-root", "scanned"])
            .args(self.engine)
            .args(more)
            .env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
        serve.envs(self.database_url.iter().map(|url| ("HUB_DATABASE_URL", url)));
        serve
    }

    /// Locks the database for writes until the lock is dropped.
    pub(crate) fn hold_database(&self) -> Held {
        self.hold("BEGIN; LOCK TABLE workflow_runs IN EXCLUSIVE MODE")
    }

    /// Locks the executions of DBOS, and nothing else, until the lock is dropped.
    #[cfg(feature = "dbos")]
    pub(crate) fn hold_executions(&self) -> Held {
        self.hold("BEGIN; LOCK TABLE dbos.workflow_status IN ACCESS EXCLUSIVE MODE")
    }

    fn hold(&self, lock: &'static str) -> Held {
        let lock = if self.database_url.is_some() { lock } else { "BEGIN IMMEDIATE" };
        self.connect_and_execute(lock.to_owned())
    }

    /// Executes a statement that both databases understand.
    pub(crate) fn execute(&self, statement: String) {
        drop(self.connect_and_execute(statement));
    }

    fn connect_and_execute(&self, statement: String) -> Held {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        let connection = runtime.block_on(async {
            match &self.database_url {
                Some(url) => {
                    let mut connection = PgConnection::connect(url).await.unwrap();
                    statement.execute(&mut connection).await.unwrap();
                    HeldConnection::Postgres(connection)
                }
                None => {
                    let file = self.path().join("orchestrator.db");
                    let options = SqliteConnectOptions::new().filename(file).busy_timeout(TIMEOUT);
                    let mut connection = options.connect().await.unwrap();
                    statement.execute(&mut connection).await.unwrap();
                    HeldConnection::Sqlite(connection)
                }
            }
        });
        Held { runtime, connection: Some(connection) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A connection to the database, for example with a lock.
pub(crate) struct Held {
    runtime: tokio::runtime::Runtime,
    connection: Option<HeldConnection>,
}

enum HeldConnection {
    Sqlite(sqlx::SqliteConnection),
    Postgres(PgConnection),
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        self.runtime.block_on(async {
            // The transaction ends with its connection.
            match connection {
                HeldConnection::Sqlite(connection) => connection.close().await.unwrap(),
                HeldConnection::Postgres(connection) => connection.close().await.unwrap(),
            }
        });
    }
}

/// A ready server. Killed when dropped.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) metrics: String,
}

impl Server {
    pub(crate) fn start(process: Process) -> Self {
        // The last line of the banner.
        process.line(TIMEOUT, "  try ");
        let banner = process.stderr();
        let after = |name: &str| {
            let line = banner.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        Self { url: after("API "), metrics: after("metrics "), process }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = http::get(format!("{}{path}", self.url));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        http::try_send(method, format!("{}{path}", self.url), headers, body).expect("a reply")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, &[], &body.to_string())
    }

    /// Approves the node of a run that waits, once it does.
    pub(crate) fn approve(&self, run: &str) {
        let approval = poll::until(TIMEOUT, || {
            let page = self.get("/api/approvals?decision=PENDING");
            let approvals = page["approvals"].as_array().unwrap();
            let of_run = approvals.iter().find(|approval| approval["runId"] == run)?;
            of_run["id"].as_str().map(str::to_owned)
        });
        let decision = json!({"decision": "APPROVED", "respondedBy": "ada"});
        let reply = self.post(&format!("/api/approvals/{approval}/decision"), &decision);
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// Stores a workflow.
    pub(crate) fn create(&self, name: &str, nodes: Value) {
        let reply = self.post("/api/workflows", &json!({"name": name, "nodes": nodes}));
        assert!([201, 409].contains(&reply.status), "{}", reply.body);
    }

    /// Triggers a run. Returns its id.
    pub(crate) fn trigger(&self, workflow: &str, context: Value) -> String {
        let reply = self
            .post(&format!("/api/workflows/{workflow}/trigger"), &json!({"contextJson": context}));
        assert_eq!(reply.status, 202, "{}", reply.body);
        reply.json()["workflowRunId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, id: &str) -> Value {
        self.get(&format!("/api/runs/{id}"))
    }

    /// Waits for a status of a run. Returns the run.
    pub(crate) fn reaches(&self, id: &str, status: &str) -> Value {
        poll::until(TIMEOUT, || {
            let run = self.run(id);
            let now = run["status"].as_str().unwrap();
            assert!(now == status || !is_terminal(now), "{run:#}");
            (now == status).then_some(run)
        })
    }

    /// Waits for the end of a run. Returns the run.
    pub(crate) fn ended(&self, id: &str) -> Value {
        poll::until(TIMEOUT, || {
            let run = self.run(id);
            is_terminal(run["status"].as_str().unwrap()).then_some(run)
        })
    }

    /// Sums a metric over the series with these labels.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        scrape::Scrape::of(&*self.metrics).value(name, labels).unwrap_or(0.0)
    }

    /// Sends SIGTERM and waits for a clean exit.
    pub(crate) fn stop(mut self) {
        self.process.terminate();
        let status = self.process.exit(TIMEOUT);
        assert!(status.success(), "{status}: {}", self.process.stderr());
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.kill();
        self.process.exit(TIMEOUT);
    }
}

pub(crate) fn is_terminal(status: &str) -> bool {
    !["PENDING", "RUNNING", "WAITING_APPROVAL"].contains(&status)
}

/// A node of the fault agent.
pub(crate) fn fault(id: &str, action: &str, after: &[&str], input: Value) -> Value {
    json!({"id": id, "agent": "fault", "action": action, "dependsOn": after, "input": input})
}

/// The node, which waits for an approval before it executes.
pub(crate) fn with_approval(mut node: Value) -> Value {
    node["requiresApproval"] = json!(true);
    node
}
