//! The store in an SQLite file: one writer that commits in groups (WAL, `synchronous=FULL`), separate readers.
//!
//! A commit costs an `fsync`; committing the statements of all callers that wait together is what makes ten thousand
//! concurrent runs a matter of seconds. Nothing is answered before it is on the disk.

mod approvals;
mod rows;
mod runs;
mod webhook;
mod workflows;
mod writer;

use super::{Result, StoreError};
use hub_otel::db::Db;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use writer::Writer;

/// A connection, as the writer hands it to a statement.
type Connection = sqlx::SqliteConnection;

/// The store in an SQLite database; cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    readers: Db<Sqlite>,
    writer: Writer,
}

impl SqliteStore {
    /// Opens a database file, or creates it; `:memory:` is one that ends with the process.
    ///
    /// # Errors
    /// When it cannot be opened, written, or brought to this version's tables.
    pub async fn open(database: &str) -> Result<Self> {
        let memory = database == ":memory:";
        let options = if memory {
            SqliteConnectOptions::from_str("sqlite::memory:")?
        } else {
            SqliteConnectOptions::new().filename(Path::new(database)).create_if_missing(true)
        };
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2))
            .pragma("wal_autocheckpoint", "4000");
        // An in-memory database belongs to its connection, which must neither idle out nor grow old.
        let single = || SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool: SqlitePool = single().connect_with(options.clone()).await?;
        sqlx::migrate!().run(&pool).await.map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
        let readers = if memory {
            pool.clone()
        } else {
            SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(Duration::from_secs(10))
                .connect_lazy_with(options.read_only(true))
        };
        let store = Self { readers: Db::new(readers), writer: Writer::start(Db::new(pool)) };
        store.touch().await?;
        Ok(store)
    }

    /// The pool of the one connection that writes: for tests that take it away.
    #[must_use]
    pub fn writing_pool(&self) -> &SqlitePool {
        self.writer.pool()
    }

    /// Proves that a transaction can be committed.
    async fn touch(&self) -> Result<()> {
        self.writer
            .write("UPDATE writable", |connection| {
                Box::pin(async move {
                    let now = crate::clock::Timestamp::now();
                    sqlx::query("UPDATE writable SET checked_at = ?1")
                        .bind(now.0)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn check(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM workflows LIMIT 1").fetch_optional(&self.readers).await?;
        // A writer that has just written needs no other proof.
        if self.writer.is_proven() { Ok(()) } else { self.touch().await }
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// The store's methods, each in the file of its tables.
#[async_trait::async_trait]
impl super::Store for SqliteStore {
    async fn check(&self) -> Result<()> {
        Self::check(self).await
    }
    async fn create_workflow(&self, workflow: &crate::domain::Workflow) -> Result<bool> {
        self.insert_workflow(workflow).await
    }
    async fn workflow(&self, name: &str) -> Result<Option<crate::domain::Workflow>> {
        self.select_workflow(name).await
    }
    async fn workflows(&self, page: super::Page) -> Result<Vec<crate::domain::Workflow>> {
        self.select_workflows(page).await
    }
    async fn create_run(&self, run: crate::domain::NewRun) -> Result<super::Created> {
        self.insert_run(run).await
    }
    async fn run(&self, id: &str) -> Result<Option<crate::domain::Run>> {
        self.select_run(id).await
    }
    async fn runs(
        &self,
        workflow: &str,
        status: Option<crate::domain::RunStatus>,
        page: super::Page,
    ) -> Result<Vec<crate::domain::Run>> {
        self.select_runs(workflow, status, page).await
    }
    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, crate::domain::NodeRecord)>> {
        self.select_nodes(runs).await
    }
    async fn claim(
        &self,
        id: &str,
        owner: &str,
        segment: Option<String>,
    ) -> Result<Option<crate::domain::Run>> {
        self.claim_run(id, owner, segment).await
    }
    async fn save_node(&self, run: &str, record: crate::domain::NodeRecord) -> Result<bool> {
        self.insert_node(run, record).await
    }
    async fn finish(&self, id: &str, end: super::End) -> Result<Option<Vec<crate::domain::Approval>>> {
        self.finish_run(id, end).await
    }
    async fn hand_back(&self, id: &str, segment: Option<String>, executed_ms: u64) -> Result<bool> {
        self.pause_run(id, crate::domain::RunStatus::Pending, segment, executed_ms).await
    }
    async fn suspend(&self, id: &str, segment: Option<String>, executed_ms: u64) -> Result<bool> {
        self.pause_run(id, crate::domain::RunStatus::WaitingApproval, segment, executed_ms).await
    }
    async fn cancel(&self, id: &str) -> Result<(super::Cancelled, Vec<crate::domain::Approval>)> {
        self.cancel_run(id).await
    }
    async fn request_approval(
        &self,
        approval: crate::domain::Approval,
    ) -> Result<Option<crate::domain::Approval>> {
        self.insert_approval(approval).await
    }
    async fn approvals(
        &self,
        decision: Option<crate::domain::Decision>,
        page: super::Page,
    ) -> Result<Vec<crate::domain::Approval>> {
        self.select_approvals(decision, page).await
    }
    async fn approvals_of(&self, run: &str) -> Result<Vec<crate::domain::Approval>> {
        self.select_approvals_of(run).await
    }
    async fn decide(
        &self,
        id: &str,
        answer: super::Answer,
    ) -> Result<(super::Decided, Vec<crate::domain::Approval>)> {
        self.decide_approval(id, answer).await
    }
    async fn expire(&self) -> Result<Vec<(crate::domain::Approval, crate::domain::Run)>> {
        self.expire_approvals().await
    }
    async fn next_expiry(&self) -> Result<Option<crate::clock::Timestamp>> {
        self.select_next_expiry().await
    }
    async fn backlog(&self) -> Result<Vec<super::Waiting>> {
        self.select_backlog().await
    }
    async fn recover(&self, owner: &str, crash_limit: u32) -> Result<super::Recovered> {
        self.recover_runs(owner, crash_limit).await
    }
    async fn admit_alert(&self, alert: super::Alert) -> Result<super::Admitted> {
        self.insert_alert(alert).await
    }
    async fn remember_signature(&self, signature: &str, expires: crate::clock::Timestamp) -> Result<bool> {
        self.insert_signature(signature, expires).await
    }
    async fn close(&self) {
        Self::close(self).await;
    }
}

fn corrupt(what: &'static str, value: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what, value: value.into() }
}
