//! Executes workflows: claims runs from the store, calls agents, stores the results.
//!
//! A run in flight is one task, which executes one *segment* of the run. A segment ends in a
//! terminal state, or suspended: handed back to the store because the run waits for an approval or
//! the process shuts down. All state of a run is in the store, so that another process can
//! continue after a crash.
//!
//! A run has one owner, and every change of its state is one conditional update of the store. The
//! caller whose update succeeds launches the run or counts its end; every other caller does
//! nothing. Signals between tasks of this process only shorten a wait.

mod approvals;
#[cfg(feature = "dbos")]
mod dbos;
mod execution;
mod isolation;
mod lease;
mod node;
mod persist;
mod progress;
mod registry;
mod rendering;
mod retention;
mod segment;
mod telemetry;

use crate::agents::Registry;
use crate::domain::{NewRun, Run, RunStatus, Trigger, Workflow};
use crate::store::{
    Admission, Admitted, AlertRequest, Cancelled, Created, Owner, Store, StoreError,
};
#[cfg(feature = "dbos")]
pub use dbos::DbosOptions;
use execution::{Execution, Leases};
use isolation::Isolation;
use registry::RunRegistry;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
pub use telemetry::trace_id;

/// Limits that apply to every run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time until an approval expires.
    pub approval_timeout: Duration,
    /// Maximum number of runs in flight.
    pub max_runs: usize,
    /// Number of crashes of a process that executed only this run, after which the run is FAILED.
    /// After as many crashes together with other runs, a run is executed alone.
    pub crash_limit: u32,
    /// Time from the last renewal of the lease until other processes take over the runs. The lease
    /// is renewed three times in this period, and at least once a second.
    pub lease: Duration,
    /// The engine that executes the runs.
    pub durability: Durability,
}

/// The engine that executes the runs.
#[derive(Debug, Clone, Default)]
pub enum Durability {
    /// Every process executes the runs that it accepted, and takes over those of processes whose
    /// lease has expired.
    #[default]
    Leases,
    /// DBOS distributes the runs to all processes on one PostgreSQL.
    #[cfg(feature = "dbos")]
    Dbos(DbosOptions),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            approval_timeout: Duration::from_secs(24 * 3600),
            max_runs: 20_000,
            crash_limit: 3,
            lease: Duration::from_secs(10),
            durability: Durability::Leases,
        }
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    agents: Registry,
    options: Options,
    execution: Box<dyn Execution>,
    /// This process as the owner of runs.
    owner: Owner,
    in_flight: RunRegistry,
    isolation: Isolation,
    draining: AtomicBool,
    /// Cache. Workflows are immutable.
    workflows: Mutex<HashMap<String, Arc<Workflow>>>,
    /// Notifies [`Engine::watch_expiry`] of a new approval.
    approval_requested: tokio::sync::Notify,
}

/// Error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The process shuts down.
    #[error("the server is shutting down")]
    Draining,
    /// Too many runs in flight.
    #[error("the limit of {0} runs in flight is reached")]
    Overloaded(usize),
    /// No workflow with this name.
    #[error("there is no workflow `{0}`")]
    UnknownWorkflow(String),
    /// No run with this id.
    #[error("there is no run `{0}`")]
    UnknownRun(String),
    /// The status of the run does not permit the operation.
    #[error("{0}")]
    WrongState(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The durable engine cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

/// Result of an engine operation.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

impl Engine {
    /// Creates an engine. Executes nothing before [`Self::recover`] or a trigger.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, agents: Registry, options: Options) -> Self {
        let execution: Box<dyn Execution> = match &options.durability {
            Durability::Leases => Box::new(Leases),
            #[cfg(feature = "dbos")]
            Durability::Dbos(settings) => Box::new(dbos::Dbos::new(settings.clone())),
        };
        let owner = Owner { id: uuid::Uuid::now_v7().to_string(), lease: options.lease };
        Self {
            inner: Arc::new(Inner {
                store,
                agents,
                options,
                execution,
                owner,
                in_flight: RunRegistry::default(),
                isolation: Isolation::default(),
                draining: AtomicBool::new(false),
                workflows: Mutex::default(),
                approval_requested: tokio::sync::Notify::new(),
            }),
        }
    }

    /// Takes the lease of this process, and connects to the durable engine. Required once before
    /// [`Self::recover`] and triggers.
    ///
    /// # Errors
    /// The store failed, or the database of the durable engine is not reachable or not usable.
    pub async fn open(&self) -> Result<(), OpenError> {
        // First: other processes regard an executor without a lease as ended.
        let leased = self.inner.store.renew(&self.inner.owner).await;
        leased.map_err(|error| OpenError(format!("cannot take the lease: {error}")))?;
        self.inner.execution.open(self).await
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The agents.
    #[must_use]
    pub fn agents(&self) -> &Registry {
        &self.inner.agents
    }

    /// Number of runs in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.inner.in_flight.len()
    }

    /// Returns whether the process shuts down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// Loads a workflow.
    ///
    /// # Errors
    /// No workflow with this name, or the store failed.
    pub async fn workflow(&self, name: &str) -> Result<Arc<Workflow>> {
        let cached = |inner: &Inner| lock(&inner.workflows).get(name).cloned();
        if let Some(workflow) = cached(&self.inner) {
            return Ok(workflow);
        }
        let workflow = self.inner.store.workflow(name).await?;
        let workflow = workflow.ok_or_else(|| EngineError::UnknownWorkflow(name.to_owned()))?;
        let workflow = Arc::new(workflow);
        lock(&self.inner.workflows).insert(name.to_owned(), Arc::clone(&workflow));
        Ok(workflow)
    }

    /// Stores a run and starts it.
    ///
    /// # Errors
    /// The server drains or is overloaded, the workflow does not exist, or the store failed.
    pub async fn trigger(&self, mut run: NewRun) -> Result<Created> {
        let admission = self.admission()?;
        self.workflow(&run.workflow).await?;
        run.trace_id = run.trace_id.or_else(trace_id);
        let engine = self.clone();
        run_detached(async move {
            let created = engine.inner.store.create_run(run, admission).await?;
            let created = created.ok_or_else(|| engine.overloaded())?;
            if let Created::New(run) = &created {
                engine.launch(run.clone());
            }
            Ok(created)
        })
        .await
    }

    /// Stores and starts the run of an alert, unless it is deduplicated.
    ///
    /// # Errors
    /// The server drains or is overloaded, the workflow does not exist, or the store failed.
    pub async fn admit_alert(&self, mut alert: AlertRequest) -> Result<Admitted> {
        let admission = self.admission()?;
        self.workflow(&alert.run.workflow).await?;
        alert.run.trace_id = alert.run.trace_id.or_else(trace_id);
        let engine = self.clone();
        run_detached(async move {
            let admitted = engine.inner.store.admit_alert(alert, admission).await?;
            let admitted = admitted.ok_or_else(|| engine.overloaded())?;
            if let Admitted::Started(run) = &admitted {
                engine.launch(run.clone());
            }
            Ok(admitted)
        })
        .await
    }

    /// Cancels a run.
    ///
    /// # Errors
    /// The run does not exist or has ended, or the store failed.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        let (engine, id) = (self.clone(), id.to_owned());
        run_detached(async move {
            let (cancelled, approvals) = engine.inner.store.cancel(&id).await?;
            match cancelled {
                Cancelled::Unknown => Err(EngineError::UnknownRun(id)),
                Cancelled::AlreadyEnded(status) => {
                    Err(EngineError::WrongState(format!("the run has ended: {}", status.as_str())))
                }
                Cancelled::Now(run) => {
                    approvals
                        .iter()
                        .for_each(|approval| telemetry::record_decision(approval, &run));
                    telemetry::record_end(&run);
                    engine.inner.in_flight.cancel(&id);
                    engine.inner.execution.cancelled(&run);
                    Ok(())
                }
            }
        })
        .await
    }

    /// Starts a new run with the workflow and the context of a run that failed. A repeated call
    /// returns the same run.
    ///
    /// # Errors
    /// The run does not exist, has not ended or succeeded, or as [`Self::trigger`].
    pub async fn retry(&self, id: &str) -> Result<Run> {
        let run = self.inner.store.run(id).await?;
        let run = run.ok_or_else(|| EngineError::UnknownRun(id.to_owned()))?;
        if !run.status.is_terminal() || run.status == RunStatus::Success {
            let status = run.status.as_str();
            return Err(EngineError::WrongState(format!(
                "only a run that failed can be retried; this one is {status}"
            )));
        }
        let mut retry = NewRun::new(&run.workflow, Trigger::Retry, run.context);
        // A key with a space, which a request cannot have.
        retry.idempotency = Some((format!("retry {}", run.id), run.id.clone()));
        retry.retry_of = Some(run.id);
        match self.trigger(retry).await? {
            Created::New(run) | Created::Existing(run) => Ok(run),
            Created::Conflict => {
                Err(EngineError::WrongState("another request retries the run".to_owned()))
            }
        }
    }

    /// Rejects new runs, waits for those in flight until the timeout, then hands back the others.
    pub async fn drain(&self, timeout: Duration) {
        self.inner.draining.store(true, Ordering::Relaxed);
        let in_flight = &self.inner.in_flight;
        if tokio::time::timeout(timeout, in_flight.wait_idle()).await.is_err() {
            tracing::warn!(runs = in_flight.len(), "handing back the runs in flight");
            in_flight.hand_back_all();
            drop(tokio::time::timeout(Duration::from_secs(3), in_flight.wait_idle()).await);
        }
        self.inner.execution.close(self).await;
        if let Err(error) = self.inner.store.release(&self.inner.owner.id).await {
            tracing::warn!(%error, "cannot release the lease; runs in flight count a crash");
        }
    }

    fn admission(&self) -> Result<Admission> {
        if self.is_draining() {
            return Err(EngineError::Draining);
        }
        let max_runs = u32::try_from(self.inner.options.max_runs).unwrap_or(u32::MAX);
        Ok(Admission { owner: self.inner.owner.clone(), max_runs })
    }

    fn overloaded(&self) -> EngineError {
        EngineError::Overloaded(self.inner.options.max_runs)
    }

    /// Starts the execution of a PENDING run that this process owns, as a child of the current
    /// span.
    fn launch(&self, run: Run) {
        self.inner.execution.start(self, run);
    }
}

/// Completes the work even if the caller disconnects, because a stored run must also be started.
async fn run_detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(telemetry::with_current_trace(work)).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(EngineError::Draining),
    }
}

/// Locks a mutex. Ignores poisoning: no critical section leaves the data inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
