//! Runs workflows: takes runs from the store, calls agents, writes down what became of them.
//!
//! A run in flight is one task: the *segment* that is executed now. It ends in a terminal state, or suspended: handed
//! back to the store because it waits for a human or because the process goes. Nothing else knows of a run but the
//! store, so whatever kills the process, the next one goes on.

mod approvals;
mod flight;
mod node;
mod persist;
mod progress;
mod recovery;
mod segment;
mod telemetry;

use crate::agents::Registry;
use crate::domain::{NewRun, Run, RunStatus, Trigger, Workflow};
use crate::store::{Admitted, Alert, Cancelled, Created, Store, StoreError};
use flight::{Flight, Stop};
use futures_util::FutureExt as _;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
pub use telemetry::trace_id;

/// What an operator decides for every run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an approval may wait for its answer.
    pub approval_timeout: Duration,
    /// So many runs at once.
    pub max_runs: usize,
    /// A run over which so many processes died is FAILED.
    pub crash_limit: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { approval_timeout: Duration::from_secs(24 * 3600), max_runs: 20_000, crash_limit: 3 }
    }
}

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    agents: Registry,
    options: Options,
    /// This process, as the owner of RUNNING runs.
    owner: String,
    flight: Flight,
    draining: AtomicBool,
    /// Workflows are immutable: what was read once stays true.
    workflows: Mutex<HashMap<String, Arc<Workflow>>>,
    /// An approval was asked: the one who watches the clock has to look again.
    asked: tokio::sync::Notify,
}

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The process is going.
    #[error("the server is shutting down")]
    Draining,
    /// Too many runs at once.
    #[error("there are {0} runs in flight, which is as many as are allowed")]
    Overloaded(usize),
    /// No workflow of that name.
    #[error("there is no workflow `{0}`")]
    UnknownWorkflow(String),
    /// No run of that id.
    #[error("there is no run `{0}`")]
    UnknownRun(String),
    /// The run is in a state that does not allow it.
    #[error("{0}")]
    WrongState(String),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A result of the engine.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

impl Engine {
    /// An engine over a store. Nothing runs before [`Self::recover`] or a trigger.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, agents: Registry, options: Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                agents,
                options,
                owner: uuid::Uuid::now_v7().to_string(),
                flight: Flight::default(),
                draining: AtomicBool::new(false),
                workflows: Mutex::default(),
                asked: tokio::sync::Notify::new(),
            }),
        }
    }

    /// Where runs are remembered.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Who can be asked.
    #[must_use]
    pub fn agents(&self) -> &Registry {
        &self.inner.agents
    }

    /// How many runs are being executed.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.inner.flight.len()
    }

    /// Is the process about to go?
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// The workflow of that name.
    ///
    /// # Errors
    /// When there is none, or the store cannot answer.
    pub async fn workflow(&self, name: &str) -> Result<Arc<Workflow>> {
        let known = |inner: &Inner| lock(&inner.workflows).get(name).cloned();
        if let Some(workflow) = known(&self.inner) {
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
    /// When the server drains or is full, the workflow does not exist, or the store cannot answer.
    pub async fn trigger(&self, mut run: NewRun) -> Result<Created> {
        self.admit()?;
        self.workflow(&run.workflow).await?;
        run.trace_id = run.trace_id.or_else(trace_id);
        let engine = self.clone();
        shielded(async move {
            let created = engine.inner.store.create_run(run).await?;
            if let Created::New(run) = &created {
                engine.launch(run.clone());
            }
            Ok(created)
        })
        .await
    }

    /// Stores the run that an alert asks for, when it does, and starts it.
    ///
    /// # Errors
    /// When the server drains or is full, the workflow does not exist, or the store cannot answer.
    pub async fn admit_alert(&self, mut alert: Alert) -> Result<Admitted> {
        self.admit()?;
        self.workflow(&alert.run.workflow).await?;
        alert.run.trace_id = alert.run.trace_id.or_else(trace_id);
        let engine = self.clone();
        shielded(async move {
            let admitted = engine.inner.store.admit_alert(alert).await?;
            if let Admitted::Started(run) = &admitted {
                engine.launch(run.clone());
            }
            Ok(admitted)
        })
        .await
    }

    /// Ends a run that has not ended.
    ///
    /// # Errors
    /// When there is no such run, it has ended, or the store cannot answer.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        let (engine, id) = (self.clone(), id.to_owned());
        shielded(async move {
            let (cancelled, approvals) = engine.inner.store.cancel(&id).await?;
            match cancelled {
                Cancelled::Unknown => Err(EngineError::UnknownRun(id)),
                Cancelled::AlreadyEnded(status) => Err(EngineError::WrongState(format!(
                    "the run has ended already: {}",
                    status.as_str()
                ))),
                Cancelled::From(before, run) => {
                    approvals
                        .iter()
                        .for_each(|approval| telemetry::approval_decided(approval, &run));
                    // Whoever executes it says that it ended; a run that nobody executes has nobody else.
                    let told = engine.inner.flight.stop(&id, Stop::Cancelled);
                    if !told || before == RunStatus::WaitingApproval {
                        telemetry::ended_without_segment(&run, RunStatus::Cancelled, None);
                    }
                    Ok(())
                }
            }
        })
        .await
    }

    /// Starts a new run of what a run that ended badly was asked for.
    ///
    /// # Errors
    /// When there is no such run, it has not ended or ended well, or as [`Self::trigger`].
    pub async fn retry(&self, id: &str) -> Result<Run> {
        let run = self.inner.store.run(id).await?;
        let run = run.ok_or_else(|| EngineError::UnknownRun(id.to_owned()))?;
        if !run.status.is_terminal() || run.status == RunStatus::Success {
            let status = run.status.as_str();
            return Err(EngineError::WrongState(format!(
                "only a run that ended badly is retried; this one is {status}"
            )));
        }
        let mut again = NewRun::new(&run.workflow, Trigger::Retry, run.context);
        again.retry_of = Some(run.id);
        match self.trigger(again).await? {
            Created::New(run) | Created::Existing(run) => Ok(run),
            Created::Conflict => {
                Err(EngineError::WrongState("another request retries it".to_owned()))
            }
        }
    }

    /// Refuses new runs, waits for those in flight, and hands back what has not ended by then.
    pub async fn drain(&self, patience: Duration) {
        self.inner.draining.store(true, Ordering::Relaxed);
        let flight = &self.inner.flight;
        if tokio::time::timeout(patience, flight.landed()).await.is_err() {
            tracing::warn!(runs = flight.len(), "handing back runs that have not ended");
            flight.stop_all(Stop::HandBack);
            // What cannot even be handed back is found by the next start.
            drop(tokio::time::timeout(Duration::from_secs(3), flight.landed()).await);
        }
    }

    fn admit(&self) -> Result<()> {
        if self.is_draining() {
            return Err(EngineError::Draining);
        }
        let most = self.inner.options.max_runs;
        if self.in_flight() >= most { Err(EngineError::Overloaded(most)) } else { Ok(()) }
    }

    /// Executes a PENDING run in a task of its own, below whatever is current.
    fn launch(&self, run: Run) {
        let ticket = self.inner.flight.board(&run.id);
        let segment = segment::execute(self.clone(), run, Arc::clone(ticket.signals()));
        // How it ended stands in the store and in its telemetry. Not in an async block: that would hold the segment twice.
        tokio::spawn(segment.map(|_ended| drop(ticket)));
    }
}

/// Does it to the end, even when the one who asked hangs up: a run that is stored must also be started.
async fn shielded<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(telemetry::in_this_trace(work)).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(EngineError::Draining),
    }
}

/// No code panics while it holds one of these locks; were it to, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
