//! What the engine needs to remember, as a trait: SQLite today; `tests/store.rs` is the suite that another store must
//! pass.
//!
//! Every method that writes is one transaction, and every change of a run's state is a compare-and-swap: `false` or
//! `None` means that somebody else was first, which is an answer and not an error.

pub mod sqlite;

use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, NewRun, NodeRecord, Run, RunStatus, Workflow};
use async_trait::async_trait;
use std::time::Duration;

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not do what it was asked.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The writer is gone: the process is shutting down.
    #[error("the store is closed")]
    Closed,
    /// A row that this version cannot read.
    #[error("the database holds what this version does not know: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } => Self::Corrupt(error.to_string()),
            error => Self::Database(error),
        }
    }
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// At most this many.
    pub limit: u32,
    /// After this many.
    pub offset: u32,
}

/// What became of a new run.
#[derive(Debug, Clone)]
pub enum Created {
    /// It is stored, PENDING.
    New(Run),
    /// The same key asked for the same before: this is the run of then.
    Existing(Run),
    /// The same key asked for something else before.
    Conflict,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct End {
    /// A terminal status.
    pub status: RunStatus,
    /// A stable identifier, for failures.
    pub error_type: Option<String>,
    /// For people.
    pub error: Option<String>,
    /// All time executed, over all segments.
    pub executed_ms: u64,
}

/// What became of a request to cancel.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "looked at once and taken apart")]
pub enum Cancelled {
    /// It is; this is what it was just before.
    From(RunStatus, Run),
    /// It had ended already.
    AlreadyEnded(RunStatus),
    /// No such run.
    Unknown,
}

/// What a human says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `Approved` or `Rejected`.
    pub decision: Decision,
    /// Who.
    pub responded_by: String,
    /// And why.
    pub notes: Option<String>,
}

/// What became of an answer.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "looked at once and taken apart")]
pub enum Decided {
    /// It counts; the run is as it is after it.
    Now(Approval, Run),
    /// Somebody was first.
    Already(Approval),
    /// It came too late.
    Expired(Approval),
    /// No such approval.
    Unknown,
}

/// Approvals that nobody has answered yet, of one workflow.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// Its name.
    pub workflow: String,
    /// How many.
    pub pending: u64,
    /// When the oldest was asked.
    pub oldest: Timestamp,
}

/// A run that ended without a process: the recovery of a crash loop, an approval that expired.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// To be taken up again, oldest first. PENDING.
    pub runs: Vec<Run>,
    /// FAILED just now, because they kept crashing.
    pub crash_looped: Vec<Run>,
}

/// An alert, asking for a run.
#[derive(Debug, Clone)]
pub struct Alert {
    /// What the incident is known by.
    pub fingerprint: String,
    /// Or resolved.
    pub firing: bool,
    /// The run that it would start.
    pub run: NewRun,
    /// An incident that still fires after this long starts another run.
    pub remind_after: Duration,
}

/// What became of an alert.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "looked at once and taken apart")]
pub enum Admitted {
    /// A run is stored.
    Started(Run),
    /// The incident is known; this is its latest run.
    Deduplicated(String),
    /// Resolved, and no incident was open.
    Nothing,
}

/// Remembers workflows.
#[async_trait]
pub trait WorkflowStore: Send + Sync {
    /// Stores a workflow; `false` when the name is taken.
    async fn create_workflow(&self, workflow: &Workflow) -> Result<bool>;
    /// The workflow of that name.
    async fn workflow(&self, name: &str) -> Result<Option<Workflow>>;
    /// All of them by name.
    async fn workflows(&self, page: Page) -> Result<Vec<Workflow>>;
}

/// Remembers runs, and their nodes' results.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Stores a run, PENDING.
    async fn create_run(&self, run: NewRun) -> Result<Created>;
    /// The run of that id.
    async fn run(&self, id: &str) -> Result<Option<Run>>;
    /// The runs of a workflow, newest first.
    async fn runs(&self, workflow: &str, status: Option<RunStatus>, page: Page)
    -> Result<Vec<Run>>;
    /// What became of the nodes of these runs.
    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>>;
    /// PENDING → RUNNING, owned by this process. `segment` is what the next segment links to should this one die.
    async fn claim(&self, id: &str, owner: &str, segment: Option<String>) -> Result<Option<Run>>;
    /// Commits a node's result; `false` when the run is no longer running. The first result stays.
    async fn save_node(&self, run: &str, record: NodeRecord) -> Result<bool>;
    /// RUNNING → a terminal state; its approvals that are still pending are cancelled and given back.
    async fn finish(&self, id: &str, end: End) -> Result<Option<Vec<Approval>>>;
    /// RUNNING → PENDING (the process goes, the run stays) or → WAITING_APPROVAL, unless one of its approvals was
    /// decided meanwhile.
    async fn pause(
        &self,
        id: &str,
        to: RunStatus,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<bool>;
    /// [`Self::pause`]: the process goes.
    async fn hand_back(&self, id: &str, segment: Option<String>, executed_ms: u64) -> Result<bool> {
        self.pause(id, RunStatus::Pending, segment, executed_ms).await
    }
    /// [`Self::pause`]: a human has to decide.
    async fn suspend(&self, id: &str, segment: Option<String>, executed_ms: u64) -> Result<bool> {
        self.pause(id, RunStatus::WaitingApproval, segment, executed_ms).await
    }
    /// Anything that has not ended → CANCELLED.
    async fn cancel(&self, id: &str) -> Result<(Cancelled, Vec<Approval>)>;
    /// After a start: takes up what no living process works on. RUNNING runs of another owner count a crash each, and
    /// with `crash_limit` of them are FAILED.
    async fn recover(&self, owner: &str, crash_limit: u32) -> Result<Recovered>;
}

/// Remembers questions to humans.
#[async_trait]
pub trait ApprovalStore: Send + Sync {
    /// Asks; gives back the question of before when the node's was asked already.
    async fn request_approval(&self, approval: Approval) -> Result<Option<Approval>>;
    /// The questions, newest first.
    async fn approvals(&self, decision: Option<Decision>, page: Page) -> Result<Vec<Approval>>;
    /// The questions of one run.
    async fn approvals_of(&self, run: &str) -> Result<Vec<Approval>>;
    /// Answers: WAITING_APPROVAL → PENDING when approved, REJECTED when rejected.
    async fn decide(&self, id: &str, answer: Answer) -> Result<(Decided, Vec<Approval>)>;
    /// Questions that are due: EXPIRED, and their waiting runs TIMED_OUT. Gives both as they are after it.
    async fn expire(&self) -> Result<Vec<(Approval, Run)>>;
    /// When the next question is due.
    async fn next_expiry(&self) -> Result<Option<Timestamp>>;
    /// The unanswered questions by workflow.
    async fn backlog(&self) -> Result<Vec<Waiting>>;
}

/// Remembers open incidents, and signatures that may not come again.
#[async_trait]
pub trait IncidentStore: Send + Sync {
    /// Decides whether an alert starts a run, and stores it: one transaction.
    async fn admit_alert(&self, alert: Alert) -> Result<Admitted>;
    /// Remembers a signature until `expires`; `false` when it was seen before.
    async fn remember_signature(&self, signature: &str, expires: Timestamp) -> Result<bool>;
}

/// The memory of the orchestrator.
#[async_trait]
pub trait Store: WorkflowStore + RunStore + ApprovalStore + IncidentStore + 'static {
    /// Can it be read and written?
    async fn check(&self) -> Result<()>;
    /// Waits for what is being written, and closes the database.
    async fn close(&self);
}
