//! Durable state of the engine, as a trait. Implemented for SQLite and PostgreSQL; `tests/store` is
//! the suite of both.
//!
//! Every writing method is one transaction. Every change of a run's status or owner is one
//! conditional update on (status, version, owner); `None` means that another writer was first,
//! which is not an error. The writer whose update succeeds launches the run, or counts its end.

mod page;
pub mod postgres;
mod rules;
pub mod sqlite;
mod traced;

use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, NewRun, NodeRecord, Run, RunState, RunStatus, Workflow};
use async_trait::async_trait;
use std::collections::HashSet;
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
            sqlx::Error::PoolClosed => Self::Closed,
            error => Self::Database(error),
        }
    }
}

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// Maximum number of entries.
    pub limit: u32,
    /// Key of the last entry of the previous page. Entries that are inserted between two pages do
    /// not shift the second one.
    pub after: Option<String>,
}

/// The entries of one page.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The entries. Fewer than the limit if they would take more than [`MAX_PAGE_BYTES`].
    pub entries: Vec<T>,
    /// Key of the next page. `None` on the last page.
    pub next: Option<String>,
}

/// Maximum size of the stored JSON of one page. A larger entry is a page of its own.
pub const MAX_PAGE_BYTES: u32 = 1 << 20;

/// A process that executes runs, and the duration of its lease.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Id, unique for each start of a process.
    pub id: String,
    /// Time from a renewal until other owners can take over the runs.
    pub lease: Duration,
}

/// A row of the owners.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Lease {
    /// Id of the owner.
    #[sqlx(rename = "id")]
    pub owner: String,
    /// Other owners can take over its runs, by the clock of the store.
    pub expired: bool,
}

/// Conditions for a new run.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Owner of the run.
    pub owner: Owner,
    /// Maximum number of runs of the owner.
    pub max_runs: u32,
}

/// Result of creating a run.
#[derive(Debug, Clone)]
pub enum Created {
    /// The run is stored as PENDING. The caller launches it.
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
    /// The run is cancelled. The caller counts the end.
    Now(Run),
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

/// Effect of a stored decision on its run.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The run is PENDING. The caller launches it if it is the owner.
    Continued(Run),
    /// The run has ended. The caller counts the end.
    Ended(Run),
    /// The run is in flight, and reads the decision itself.
    InFlight(Run),
    /// The run did not wait for this decision: another one continued or ended it.
    Unchanged(Run),
}

impl Effect {
    /// The run after the decision.
    #[must_use]
    pub const fn run(&self) -> &Run {
        let (Self::Continued(run) | Self::Ended(run) | Self::InFlight(run) | Self::Unchanged(run)) =
            self;
        run
    }
}

/// A decision that was stored.
#[derive(Debug, Clone)]
pub struct StoredDecision {
    /// The approval after the decision.
    pub approval: Approval,
    /// The effect on its run.
    pub effect: Effect,
    /// Other pending approvals of a run that ended.
    pub cancelled: Vec<Approval>,
}

/// Result of a decision.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "matched once, never stored")]
pub enum Decided {
    /// The decision is stored.
    Now(StoredDecision),
    /// The approval was decided before.
    Already(Approval),
    /// The approval has expired.
    Expired(Approval),
    /// The approval does not exist.
    Unknown,
}

/// Pending approvals of one workflow, or its runs that have not started.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredBacklog {
    /// Name of the workflow.
    pub workflow: String,
    /// Number of approvals or runs.
    #[sqlx(try_from = "i64")]
    pub pending: u64,
    /// Time of the oldest request, or creation time of the oldest run.
    pub oldest: Timestamp,
}

/// Result of suspending a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// The run is suspended.
    Now,
    /// An approval was decided in the meantime, so that the run would wait forever.
    Decided,
    /// The caller is no longer the owner.
    Lost,
}

/// Runs that a renewal took over.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Runs to launch, oldest first. PENDING.
    pub runs: Vec<Run>,
    /// Runs that are now FAILED because of repeated crashes.
    pub crash_looped: Vec<CrashLooped>,
}

/// A run that is FAILED because of repeated crashes. The caller counts the end.
#[derive(Debug, Clone)]
pub struct CrashLooped {
    /// The run. FAILED.
    pub run: Run,
    /// Its approvals that were pending. CANCELLED.
    pub cancelled: Vec<Approval>,
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
    /// Lists the workflows by name, which is the key of a page. Logs and omits those that this
    /// version cannot read.
    async fn workflows(&self, page: Page) -> Result<Listed<Workflow>>;
}

/// Storage of runs and node results.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Stores a run as PENDING with an owner. Returns `None` if the owner has the maximum number of
    /// runs.
    async fn create_run(&self, run: NewRun, admission: Admission) -> Result<Option<Created>>;
    /// Loads a run.
    async fn run(&self, id: &str) -> Result<Option<Run>>;
    /// Lists the runs of a workflow, newest first. The key of a page is the id.
    async fn runs(
        &self,
        workflow: &str,
        status: Option<RunStatus>,
        page: Page,
    ) -> Result<Listed<Run>>;
    /// Counts the PENDING runs that never started, by workflow. A run that is PENDING again, for
    /// example after a decision, is not counted.
    async fn run_backlog(&self) -> Result<Vec<StoredBacklog>>;
    /// Loads the node results of runs.
    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>>;
    /// Gives a PENDING run with this number of waits a new owner, whatever owner it had: for an
    /// engine that distributes the runs itself. Returns `None` if the run is not PENDING any more.
    async fn claim(&self, id: &str, waits: u32, owner: &Owner) -> Result<Option<Run>>;
    /// PENDING → RUNNING. After a crash, the next segment links to `segment`.
    async fn start(&self, run: RunState, segment: Option<String>) -> Result<Option<Run>>;
    /// Stores a node result, once per node. Returns `false` if the caller is no longer the owner of
    /// the RUNNING run.
    async fn save_node(&self, run: RunState, record: NodeRecord) -> Result<bool>;
    /// RUNNING → a terminal status. Cancels the pending approvals of the run and returns them.
    async fn finish(&self, run: RunState, end: End) -> Result<Option<Vec<Approval>>>;
    /// RUNNING → PENDING without an owner, at shutdown. Returns `false` if the caller is no longer
    /// the owner.
    async fn hand_back(
        &self,
        run: RunState,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<bool>;
    /// RUNNING → WAITING_APPROVAL without an owner.
    async fn suspend(
        &self,
        run: RunState,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<Paused>;
    /// Any status that is not terminal → CANCELLED.
    async fn cancel(&self, id: &str) -> Result<(Cancelled, Vec<Approval>)>;
    /// Deletes at most `limit` runs that ended before a time, with their results and approvals, and
    /// as many incidents whose last run is older. Returns the number of deleted runs and incidents.
    async fn delete_ended(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Storage of leases.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Renews the lease of an owner.
    async fn renew(&self, owner: &Owner) -> Result<()>;
    /// Renews the lease of an owner, which takes over PENDING runs without an owner and the runs of
    /// owners whose lease has expired. A RUNNING one counts a crash, and a crash alone if its owner
    /// executed no other run; with `crash_limit` of these it is FAILED.
    async fn take_over(&self, owner: &Owner, crash_limit: u32) -> Result<Recovered>;
    /// Lists the leases.
    async fn leases(&self) -> Result<Vec<Lease>>;
    /// Makes leases expire now: their processes have ended.
    async fn expire_leases(&self, owners: &[String]) -> Result<()>;
    /// Ids of the runs of an owner.
    async fn owned(&self, owner: &str) -> Result<HashSet<String>>;
    /// Ends the lease of an owner. Its runs become PENDING without an owner.
    async fn release(&self, owner: &str) -> Result<()>;
}

/// Storage of approvals.
#[async_trait]
pub trait ApprovalStore: Send + Sync {
    /// Stores an approval, or returns the existing one of the node. Returns `None` if the caller is
    /// no longer the owner of the RUNNING run.
    async fn request_approval(&self, run: RunState, approval: Approval)
    -> Result<Option<Approval>>;
    /// Lists approvals, newest first. The key of a page is the id.
    async fn approvals(&self, decision: Option<Decision>, page: Page) -> Result<Listed<Approval>>;
    /// Lists the approvals of one run.
    async fn approvals_of(&self, run: &str) -> Result<Vec<Approval>>;
    /// Decides an approval. Its run: WAITING_APPROVAL → PENDING with this owner if approved,
    /// → REJECTED if rejected.
    async fn decide(
        &self,
        id: &str,
        resolution: Resolution,
        owner: Option<Owner>,
    ) -> Result<Decided>;
    /// Expires due approvals: EXPIRED, and their waiting runs TIMED_OUT.
    async fn expire(&self) -> Result<Vec<StoredDecision>>;
    /// Returns the time until the next expiry by the clock of the store, 0 if an approval is due.
    async fn next_expiry(&self) -> Result<Option<Duration>>;
    /// Counts the pending approvals by workflow.
    async fn approval_backlog(&self) -> Result<Vec<StoredBacklog>>;
}

/// Storage of open incidents and used signatures.
#[async_trait]
pub trait IncidentStore: Send + Sync {
    /// Deduplicates an alert and stores its run, in one transaction. Returns `None` if the owner
    /// has the maximum number of runs.
    async fn admit_alert(
        &self,
        alert: AlertRequest,
        admission: Admission,
    ) -> Result<Option<Admitted>>;
    /// Stores a signature until `expires`. Returns `false` if it was used before.
    async fn remember_signature(&self, signature: &str, expires: Timestamp) -> Result<bool>;
}

/// Durable state of the orchestrator.
#[async_trait]
pub trait Store:
    WorkflowStore + RunStore + LeaseStore + ApprovalStore + IncidentStore + 'static
{
    /// The time by the clock of the database, which several processes share.
    fn now(&self) -> Timestamp;
    /// Checks that the database can be read and written.
    async fn check(&self) -> Result<()>;
    /// Completes pending writes and closes the database.
    async fn close(&self);
}
