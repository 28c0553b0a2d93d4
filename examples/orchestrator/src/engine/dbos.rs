//! Durable execution on DBOS: a run in flight is a workflow of DBOS on one queue, which all
//! processes poll.
//!
//! One execution of the body is one segment. DBOS distributes the executions and checkpoints the
//! nodes; it decides nothing about a run. The status, the owner and the end are conditional updates
//! of the store as with every engine, so that a body which DBOS executes twice has no effect: only
//! a PENDING run can be claimed. An execution has the id `<run>/<waits>`: a run that waits for an
//! approval ends its execution, and the decision starts the next one.
//!
//! docs/adr/0008-durable-engine.md has the choice, and the behaviour of the crate that is guarded
//! here.

mod attended;
mod body;
mod liveness;
mod recovery;
mod steps;

use super::execution::{Execution, Steps};
use super::{Engine, OpenError, lock};
use crate::clock::Timestamp;
use crate::domain::{Run, Workflow};
use crate::store::postgres::limited_pool;
use ::dbos::sysdb::SystemDatabase;
use ::dbos::sysdb::postgres::{PostgresSystemDatabase, Settings};
use ::dbos::sysdb::types::{Timestamp as DbosTime, WorkflowFilter, WorkflowStatus};
use ::dbos::{Config, DBOS, Enqueue, QueueConflict, QueueOptions, StartOptions, WorkflowRef};
use async_trait::async_trait;
use attended::Attended;
use body::Delivery;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

/// Name of the application among those that share the database.
const APPLICATION: &str = "orchestrator";
/// Version of the body. A process executes only bodies of its own version, and enqueues a run of
/// another version again when it takes it over. Changes with the numbering of the steps, not with
/// the program: a new release continues the runs of the previous one.
const VERSION: &str = "graph-1";
const QUEUE: &str = "runs";
const BODY: &str = "graph";
/// Time limit of the connection at the start, migrations included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit of one operation at the shutdown and in the background: DBOS itself retries without
/// a limit while its database is unreachable.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of one operation that is repeated until it succeeds, and of the checkpoint of a node:
/// DBOS waits without a limit for a reply that was lost.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// The first version of PostgreSQL with a limit for sessions that are idle between transactions.
const IDLE_LIMIT_VERSION: u32 = 14_00_00;
/// Pause before a failed operation is repeated.
const RETRY: Duration = Duration::from_secs(1);
/// Maximum number of runs in one statement.
const CHUNK: usize = 500;

/// Settings of the engine on DBOS.
#[derive(Debug, Clone)]
pub struct DbosOptions {
    /// URL of the PostgreSQL database.
    pub database_url: String,
    /// Maximum number of runs that a process executes at a time. The queue has one value: that of
    /// the process that started last.
    pub slots: u32,
    /// Time between two polls of the queue by one process.
    pub poll: Duration,
}

/// The engine on DBOS.
pub(super) struct Dbos {
    options: DbosOptions,
    connected: Arc<OnceLock<Arc<Connected>>>,
    attended: Attended,
}

/// An open connection.
struct Connected {
    dbos: DBOS,
    body: WorkflowRef<Delivery, ()>,
    /// Operations on workflows of any process, outside of an execution.
    system: PostgresSystemDatabase,
    /// The id of this process, as the owner of runs and as an executor of DBOS.
    executor: String,
    liveness: Mutex<Option<tokio::task::JoinHandle<()>>>,
    attended: Attended,
    /// Executions that DBOS assigned to this process and that have no body in it, each with the
    /// time since which this is so.
    unattended: Mutex<HashMap<String, Instant>>,
}

impl Dbos {
    pub(super) fn new(options: DbosOptions) -> Self {
        Self { options, connected: Arc::default(), attended: Attended::default() }
    }

    fn connected(&self) -> Option<&Arc<Connected>> {
        let connected = self.connected.get();
        if connected.is_none() {
            tracing::error!("the durable engine is not open");
        }
        connected
    }

    async fn connect(&self, engine: &Engine) -> Result<Connected, OpenError> {
        let url = &self.options.database_url;
        let executor = engine.inner.owner.id.clone();
        // Before this process owns a run: other processes regard an owner without it as ended.
        let liveness = liveness::hold(url, engine).await?;
        let pool = limited_pool(url, 2).map_err(open_error)?;
        let version = pool.acquire().await.map_err(open_error)?.server_version_num();
        let dbos = DBOS::new(Config {
            // Without an id, DBOS takes `local`, and every start of a process executes the bodies
            // of all others again.
            executor_id: Some(executor.clone()),
            app_version: Some(VERSION.to_owned()),
            max_connections: 8,
            listen_queues: Some(vec![QUEUE.to_owned()]),
            // For those that wait for a result of DBOS. The session of LISTEN is idle.
            use_listen_notify: false,
            ..Config::new(APPLICATION, with_idle_limits(url, version))
        });
        let (inner, connected) = (Arc::downgrade(&engine.inner), Arc::clone(&self.connected));
        let attended = self.attended.clone();
        let body = dbos.register_workflow(BODY, move |delivery| {
            let (inner, connected) = (Weak::clone(&inner), Arc::clone(&connected));
            body::execute(inner, connected, attended.clone(), delivery)
        })?;
        dbos.launch().await?;
        // DBOS Cloud's variables would take precedence over the configuration.
        if dbos.executor_id()? != executor {
            return Err(OpenError("unset DBOS__CLOUD: it replaces the executor's id".to_owned()));
        }
        let options = QueueOptions {
            worker_concurrency: i32::try_from(self.options.slots).ok(),
            polling_interval: self.options.poll,
            ..QueueOptions::default()
        };
        dbos.register_queue(QUEUE, options, QueueConflict::AlwaysUpdate).await?;
        let settings = Settings { application_name: Some(APPLICATION), ..Settings::default() };
        let system = PostgresSystemDatabase::from_pool(pool, &settings);
        let liveness = Mutex::new(Some(liveness));
        Ok(Connected {
            dbos,
            body,
            system,
            executor,
            liveness,
            attended: self.attended.clone(),
            unattended: Mutex::default(),
        })
    }
}

impl From<::dbos::Error> for OpenError {
    fn from(error: ::dbos::Error) -> Self {
        open_error(error)
    }
}

fn open_error(error: impl std::fmt::Display) -> OpenError {
    OpenError(format!("the database of DBOS cannot be used: {error}"))
}

/// Adds time limits of the server for idle sessions to a URL. DBOS's own pool is not limited: one
/// lost reply would stop its loop of the queue for as long as the process lives, and a transaction
/// that waits for its client keeps its locks. The server ends such a session, which the client
/// then reads.
fn with_idle_limits(url: &str, version: Option<u32>) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut url = format!("{url}{separator}options[idle_in_transaction_session_timeout]=5s");
    // Sessions of a pool are also idle without a fault: they are opened again.
    if version.is_some_and(|version| version >= IDLE_LIMIT_VERSION) {
        url.push_str("&options[idle_session_timeout]=20s");
    }
    url
}

/// Id of the execution of a run after a number of waits.
fn execution_id(run: &str, waits: u32) -> String {
    format!("{run}/{waits}")
}

/// Limits an operation in the background. `None` if it failed, which is logged.
async fn limited<T, E: std::fmt::Display>(
    operation: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot {operation}");
            None
        }
        Err(_) => {
            tracing::warn!("cannot {operation} within {} s", TIMEOUT.as_secs());
            None
        }
    }
}

/// Limits the time of an operation that the caller repeats.
async fn replied(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let limit = || Err(format!("no reply within {} s", REPLY_TIMEOUT.as_secs()));
    tokio::time::timeout(REPLY_TIMEOUT, work).await.unwrap_or_else(|_| limit())
}

#[async_trait]
impl Execution for Dbos {
    async fn open(&self, engine: &Engine) -> Result<(), OpenError> {
        let connected = tokio::time::timeout(OPEN_TIMEOUT, self.connect(engine)).await;
        let connected = connected.map_err(|_| open_error("no answer within a minute"))??;
        drop(self.connected.set(Arc::new(connected)));
        Ok(())
    }

    fn start(&self, _engine: &Engine, run: Run) {
        let Some(connected) = self.connected().map(Arc::clone) else { return };
        let mut headers = HashMap::new();
        hub_otel::propagation::inject(&mut headers);
        let delivery = Delivery { headers, ..Delivery::of(&run) };
        tokio::spawn(async move { connected.enqueue(delivery).await });
    }

    fn resume(&self, engine: &Engine, runs: Vec<Run>) {
        let Some(connected) = self.connected().map(Arc::clone) else { return };
        if !runs.is_empty() {
            let engine = engine.clone();
            tokio::spawn(async move {
                for runs in runs.chunks(CHUNK) {
                    while let Err(error) = replied(connected.redeliver(&engine, runs)).await {
                        tracing::warn!(%error, "cannot continue {} runs, retrying", runs.len());
                        tokio::time::sleep(RETRY).await;
                    }
                }
            });
        }
    }

    async fn after_take_over(&self, engine: &Engine) {
        let Some(connected) = self.connected() else { return };
        limited("recover executions without a body", connected.recover(engine)).await;
    }

    fn steps(&self, engine: &Engine, run: &Arc<Run>, workflow: &Arc<Workflow>) -> Box<dyn Steps> {
        Box::new(steps::DbosSteps::new(engine, run, workflow))
    }

    fn cancelled(&self, run: &Run) {
        let Some(connected) = self.connected().map(Arc::clone) else { return };
        let id = execution_id(&run.id, run.waits);
        tokio::spawn(async move {
            let ids = [&*id];
            let cancel = connected.system.cancel_workflows(&ids, false, None);
            // An execution that is not cancelled finds that its run has ended.
            limited("cancel the execution of a run", cancel).await;
        });
    }

    async fn delete_ended(&self, before: Timestamp) {
        let Some(connected) = self.connected() else { return };
        limited("delete ended executions", connected.delete_ended(before)).await;
    }

    async fn close(&self, _engine: &Engine) {
        let Some(connected) = self.connected() else { return };
        // Aborts the executions without a trace in the database.
        drop(tokio::time::timeout(TIMEOUT, connected.dbos.shutdown()).await);
        let own = [&*connected.executor];
        let requeue = connected.system.reenqueue_for_recovery(&own, VERSION, QUEUE);
        limited("re-queue the executions of this process", requeue).await;
        if let Some(liveness) = lock(&connected.liveness).take() {
            liveness.abort();
        }
        drop(tokio::time::timeout(RETRY, connected.system.close()).await);
    }
}

impl Connected {
    /// Enqueues an execution, unless it is known. Repeats it until it succeeds: the run is stored.
    async fn enqueue(&self, delivery: Delivery) {
        let id = execution_id(&delivery.run, delivery.waits);
        loop {
            let queue = Some(Enqueue::new(QUEUE));
            let options = StartOptions { workflow_id: Some(&id), queue, ..StartOptions::default() };
            let enqueue = self.body.start_with(delivery.clone(), options);
            match tokio::time::timeout(REPLY_TIMEOUT, enqueue).await {
                Ok(Ok(_)) => return,
                // This process stops. The lease is released after it.
                Ok(Err(::dbos::Error::NotLaunched { .. })) => return,
                Ok(Err(error)) => {
                    tracing::warn!(%error, run = delivery.run, "cannot enqueue a run");
                }
                Err(_) => tracing::warn!(run = delivery.run, "no reply, enqueueing the run again"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Puts an execution back into the queue, for another process.
    async fn hand_over(&self, execution: &str) {
        let ids = [execution];
        let resume = self.system.resume_workflows(&ids, Some(QUEUE), None);
        limited("hand over an execution", resume).await;
    }

    async fn delete_ended(&self, before: Timestamp) -> Result<(), ::dbos::sysdb::Error> {
        loop {
            let filter = WorkflowFilter {
                status: vec![
                    WorkflowStatus::Success,
                    WorkflowStatus::Error,
                    WorkflowStatus::Cancelled,
                ],
                completed_before: DbosTime::from_system_time(before.system_time()),
                limit: Some(CHUNK as i64),
                load_input: false,
                load_output: false,
                ..WorkflowFilter::default()
            };
            let ended = self.system.list_workflows(&filter, None).await?;
            let ids: Vec<_> = ended.iter().map(|row| row.workflow_id.as_str()).collect();
            if ids.is_empty() {
                return Ok(());
            }
            self.system.delete_workflows(&ids, false, None).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::postgres::PgConnectOptions;
    use std::str::FromStr as _;

    fn options(url: &str, version: u32) -> String {
        let options = PgConnectOptions::from_str(&with_idle_limits(url, Some(version))).unwrap();
        assert_eq!(options.get_database(), Some("runs"));
        options.get_options().unwrap_or_default().to_owned()
    }

    #[test]
    fn sessions_of_dbos_have_the_idle_limits_that_the_server_supports() {
        let limited = "-c idle_in_transaction_session_timeout=5s";
        assert_eq!(options("postgres://hub@localhost/runs", 13_00_21), limited);
        assert_eq!(
            options("postgres://hub@localhost/runs?sslmode=require", 14_00_00),
            format!("{limited} -c idle_session_timeout=20s")
        );
    }
}
