//! Durable state of the engine, as a trait. Implemented for SQLite; `tests/store.rs` is the suite
//! for other stores.
//!
//! Every writing method is one transaction, and every change of a run's status is a
//! compare-and-swap: `false` or `None` means that another writer was first, which is not an error.

pub mod sqlite;

use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, NewRun, NodeRecord, Run, RunStatus, Workflow};
use async_trait::async_trait;
use std::time::Duration;

/// Error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The store is closed: the process shuts down.
    #[error("the store is closed")]
    Closed,
    /// A row that this version cannot read.
    #[error("the database has a row that this version cannot read: {0}")]
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

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Limit and offset of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Maximum number of entries.
    pub limit: u32,
    /// Number of entries to skip.
    pub offset: u32,
}

/// Result of creating a run.
#[derive(Debug, Clone)]
pub enum Created {
    /// The run is stored as PENDING.
    New(Run),
    /// The run of an earlier request with the same idempotency key and body.
    Existing(Run),
    /// The idempotency key was used with another body.
    Conflict,
}

/// End of a run.
#[derive(Debug, Clone)]
pub struct End {
    /// A terminal status.
    pub status: RunStatus,
    /// Stable identifier of a failure.
    pub error_type: Option<String>,
    /// Description of a failure.
    pub error: Option<String>,
    /// Executed time over all segments.
    pub executed_ms: u64,
}

/// Result of a cancellation.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "matched once, never stored")]
pub enum Cancelled {
    /// The run is cancelled. Holds its status and row before the cancellation.
    From(RunStatus, Run),
    /// The run had ended.
    AlreadyEnded(RunStatus),
    /// The run does not exist.
    Unknown,
}

/// Decision by a person.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// `Approved` or `Rejected`.
    pub decision: Decision,
    /// The person who decides.
    pub responded_by: String,
    /// Notes of that person.
    pub notes: Option<String>,
}

/// Result of a decision.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "matched once, never stored")]
pub enum Decided {
    /// The decision is stored. Holds the approval and the run after it.
    Now(Approval, Run),
    /// The approval was decided before.
    Already(Approval),
    /// The approval has expired.
    Expired(Approval),
    /// The approval does not exist.
    Unknown,
}

/// Pending approvals of one workflow.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PendingApprovals {
    /// Name of the workflow.
    pub workflow: String,
    /// Number of pending approvals.
    pub pending: u64,
    /// Request time of the oldest one.
    pub oldest: Timestamp,
}

/// Runs that a previous process did not complete.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Runs to continue, oldest first. PENDING.
    pub runs: Vec<Run>,
    /// Runs that are now FAILED because of repeated crashes.
    pub crash_looped: Vec<Run>,
}

/// An alert, and the run that it can start.
#[derive(Debug, Clone)]
pub struct AlertRequest {
    /// Identifies the incident.
    pub fingerprint: String,
    /// `false` if the alert is resolved.
    pub firing: bool,
    /// The run to start.
    pub run: NewRun,
    /// Time after which an incident that still fires starts another run.
    pub remind_after: Duration,
}

/// Result of an alert.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "matched once, never stored")]
pub enum Admitted {
    /// The run is stored.
    Started(Run),
    /// The incident is known. Holds the id of its latest run.
    Deduplicated(String),
    /// The alert is resolved, and no incident was open.
    Nothing,
}

/// Storage of workflows.
#[async_trait]
pub trait WorkflowStore: Send + Sync {
    /// Stores a workflow. Returns `false` if the name is in use.
    async fn create_workflow(&self, workflow: &Workflow) -> Result<bool>;
    /// Loads a workflow.
    async fn workflow(&self, name: &str) -> Result<Option<Workflow>>;
    /// Lists the workflows by name.
    async fn workflows(&self, page: Page) -> Result<Vec<Workflow>>;
}

/// Storage of runs and node results.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Stores a run as PENDING.
    async fn create_run(&self, run: NewRun) -> Result<Created>;
    /// Loads a run.
    async fn run(&self, id: &str) -> Result<Option<Run>>;
    /// Lists the runs of a workflow, newest first.
    async fn runs(&self, workflow: &str, status: Option<RunStatus>, page: Page)
    -> Result<Vec<Run>>;
    /// Loads the node results of runs.
    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>>;
    /// PENDING → RUNNING, owned by `owner`. After a crash, the next segment links to `segment`.
    async fn claim(&self, id: &str, owner: &str, segment: Option<String>) -> Result<Option<Run>>;
    /// Stores a node result. Returns `false` if the run is not RUNNING. Does not overwrite a
    /// result.
    async fn save_node(&self, run: &str, record: NodeRecord) -> Result<bool>;
    /// RUNNING → a terminal status. Cancels the pending approvals of the run and returns them.
    async fn finish(&self, id: &str, end: End) -> Result<Option<Vec<Approval>>>;
    /// RUNNING → PENDING (hand-back at shutdown) or → WAITING_APPROVAL. Returns `false` if one of
    /// the run's approvals was decided in the meantime, because the run would wait forever.
    async fn pause(
        &self,
        id: &str,
        to: RunStatus,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<bool>;
    /// [`Self::pause`] for a shutdown.
    async fn hand_back(&self, id: &str, segment: Option<String>, executed_ms: u64) -> Result<bool> {
        self.pause(id, RunStatus::Pending, segment, executed_ms).await
    }
    /// [`Self::pause`] for an approval.
    async fn suspend(&self, id: &str, segment: Option<String>, executed_ms: u64) -> Result<bool> {
        self.pause(id, RunStatus::WaitingApproval, segment, executed_ms).await
    }
    /// Any status that is not terminal → CANCELLED.
    async fn cancel(&self, id: &str) -> Result<(Cancelled, Vec<Approval>)>;
    /// Recovers the runs of previous processes. Each RUNNING run of another owner counts a crash;
    /// runs with `crash_limit` crashes are FAILED.
    async fn recover(&self, owner: &str, crash_limit: u32) -> Result<Recovered>;
}

/// Storage of approvals.
#[async_trait]
pub trait ApprovalStore: Send + Sync {
    /// Stores an approval, or returns the existing one of the node. Returns `None` if the run is
    /// not RUNNING.
    async fn request_approval(&self, approval: Approval) -> Result<Option<Approval>>;
    /// Lists approvals, newest first.
    async fn approvals(&self, decision: Option<Decision>, page: Page) -> Result<Vec<Approval>>;
    /// Lists the approvals of one run.
    async fn approvals_of(&self, run: &str) -> Result<Vec<Approval>>;
    /// Decides an approval. Its run: WAITING_APPROVAL → PENDING if approved, → REJECTED if
    /// rejected.
    async fn decide(&self, id: &str, resolution: Resolution) -> Result<(Decided, Vec<Approval>)>;
    /// Expires due approvals: EXPIRED, and their waiting runs TIMED_OUT. Returns both after the
    /// change.
    async fn expire(&self) -> Result<Vec<(Approval, Run)>>;
    /// Returns the time of the next expiry.
    async fn next_expiry(&self) -> Result<Option<Timestamp>>;
    /// Counts the pending approvals by workflow.
    async fn backlog(&self) -> Result<Vec<PendingApprovals>>;
}

/// Storage of open incidents and used signatures.
#[async_trait]
pub trait IncidentStore: Send + Sync {
    /// Deduplicates an alert and stores its run, in one transaction.
    async fn admit_alert(&self, alert: AlertRequest) -> Result<Admitted>;
    /// Stores a signature until `expires`. Returns `false` if it was used before.
    async fn remember_signature(&self, signature: &str, expires: Timestamp) -> Result<bool>;
}

/// Durable state of the orchestrator.
#[async_trait]
pub trait Store: WorkflowStore + RunStore + ApprovalStore + IncidentStore + 'static {
    /// Checks that the database can be read and written.
    async fn check(&self) -> Result<()>;
    /// Completes pending writes and closes the database.
    async fn close(&self);
}
