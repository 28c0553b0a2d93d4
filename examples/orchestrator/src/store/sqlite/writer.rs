//! Group commits: the statements of many callers in one transaction.
//!
//! A failed statement must not fail the others of its group: the group is rolled back and each
//! statement is executed again in a transaction of its own. A statement is therefore a closure that
//! can be called twice.

use super::file::OpenedFile;
use crate::store::traced::traced;
use crate::store::{Result, StoreError};
use futures_util::future::BoxFuture;
use hub_otel::db::{BatchMember, Db};
use sqlx::{Sqlite, SqlitePool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Maximum number of statements per commit. Limits the latency of the first.
const MAX_GROUP: usize = 512;
/// Maximum number of queued statements. Further callers wait for a slot.
const MAX_QUEUED: usize = 4096;

/// A connection inside the transaction of a group.
pub(super) type Connection = sqlx::SqliteConnection;

/// The writer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    shared: Arc<Shared>,
}

struct Shared {
    db: Db<Sqlite>,
    /// The database and its write-ahead log. Empty in memory.
    files: Vec<OpenedFile>,
    /// The last commit succeeded.
    healthy: AtomicBool,
    closing: tokio::sync::Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    fn check_file(&self) -> Result<()> {
        Ok(self.files.iter().try_for_each(OpenedFile::check).map_err(sqlx::Error::Io)?)
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("db", &self.shared.db).finish_non_exhaustive()
    }
}

type StatementResult<'c, T> = BoxFuture<'c, Result<T>>;

impl Writer {
    pub(super) fn start(db: Db<Sqlite>, files: Vec<OpenedFile>) -> Self {
        let (queue, jobs) = mpsc::channel(MAX_QUEUED);
        let shared = Arc::new(Shared {
            db,
            files,
            healthy: AtomicBool::new(false),
            closing: tokio::sync::Notify::new(),
            task: Mutex::new(None),
        });
        let task = tokio::spawn(work(Arc::clone(&shared), jobs));
        if let Ok(mut slot) = shared.task.try_lock() {
            *slot = Some(task);
        }
        Self { queue, shared }
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        self.shared.db.untraced()
    }

    /// Checks that the database file was not deleted or replaced.
    pub(super) fn check_file(&self) -> Result<()> {
        self.shared.check_file()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Relaxed)
    }

    /// Executes `statement` with its `arguments` in a group transaction. Returns after the commit.
    /// `summary` names the span.
    pub(super) async fn write<A, T, F>(
        &self,
        summary: &'static str,
        arguments: A,
        statement: F,
    ) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Connection, &'c A) -> StatementResult<'c, T> + Send + Sync + 'static,
    {
        traced(&self.shared.db, summary, self.write_untraced(arguments, statement)).await
    }

    /// [`Self::write`] without a span, for timers.
    pub(super) async fn write_untraced<A, T, F>(&self, arguments: A, statement: F) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Connection, &'c A) -> StatementResult<'c, T> + Send + Sync + 'static,
    {
        let (reply, result) = oneshot::channel();
        let member = BatchMember::current();
        let job = Statement { arguments, statement, output: None, reply: Some(reply), member };
        self.queue.send(Box::new(job)).await.map_err(|_| StoreError::Closed)?;
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Commits the queued statements and stops.
    pub(super) async fn close(&self) {
        self.shared.closing.notify_one();
        if let Some(task) = self.shared.task.lock().await.take() {
            // An error is a panic of the writer, after which there is no task to wait for.
            drop(task.await);
        }
    }
}

#[async_trait::async_trait]
trait Job: Send {
    async fn execute(&mut self, connection: &mut Connection) -> Result<()>;
    /// Sends the error, or else the output, to the caller.
    fn complete(&mut self, error: Option<StoreError>);
    fn member(&self) -> BatchMember;
}

struct Statement<A, T, F> {
    arguments: A,
    statement: F,
    output: Option<T>,
    reply: Option<oneshot::Sender<Result<T>>>,
    member: BatchMember,
}

#[async_trait::async_trait]
impl<A, T, F> Job for Statement<A, T, F>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'c> Fn(&'c mut Connection, &'c A) -> StatementResult<'c, T> + Send + Sync + 'static,
{
    async fn execute(&mut self, connection: &mut Connection) -> Result<()> {
        let output = (self.statement)(connection, &self.arguments).await?;
        self.output = Some(output);
        Ok(())
    }

    fn complete(&mut self, error: Option<StoreError>) {
        let result = match (error, self.output.take()) {
            (Some(error), _) => Err(error),
            (None, Some(output)) => Ok(output),
            (None, None) => Err(StoreError::Closed),
        };
        if let Some(reply) = self.reply.take() {
            // A caller that was dropped does not need the result.
            drop(reply.send(result));
        }
    }

    fn member(&self) -> BatchMember {
        self.member.clone()
    }
}

async fn work(shared: Arc<Shared>, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut group: Vec<Box<dyn Job>> = Vec::with_capacity(MAX_GROUP);
    loop {
        tokio::select! {
            taken = jobs.recv_many(&mut group, MAX_GROUP) => if taken == 0 { return },
            () = shared.closing.notified() => jobs.close(),
        }
        if group.is_empty() {
            continue;
        }
        let members = group.iter().map(|job| job.member()).collect();
        let together = async {
            commit(&shared, &mut group).await.map_err(|error| match error {
                StoreError::Database(error) => error,
                other => sqlx::Error::Protocol(other.to_string()),
            })
        };
        match shared.db.trace_batch(members, together).await {
            Ok(()) => group.iter_mut().for_each(|job| job.complete(None)),
            // One transaction per statement isolates the failed one. If the database itself fails,
            // every further attempt would wait for its lock.
            Err(_) => {
                let mut jobs = group.iter_mut();
                for job in jobs.by_ref() {
                    let alone = commit(&shared, std::slice::from_mut(job)).await;
                    job.complete(alone.err());
                    if !shared.healthy.load(Ordering::Relaxed) {
                        break;
                    }
                }
                jobs.for_each(|job| job.complete(Some(sqlx::Error::PoolTimedOut.into())));
            }
        }
        group.clear();
    }
}

/// Executes jobs in one transaction.
///
/// Does not use sqlx's `Transaction`: if a COMMIT fails because the disk is full, SQLite rolls
/// back, the ROLLBACK that follows fails, and sqlx counts the connection as inside of a transaction
/// from then on.
async fn commit(shared: &Shared, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    let mut connection = shared.db.untraced().acquire().await?;
    let attempt = async {
        shared.check_file()?;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
        for job in jobs {
            job.execute(&mut connection).await?;
        }
        sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
        Ok(())
    };
    let done = attempt.await;
    if done.is_err() {
        // Fails if SQLite has rolled back.
        drop(sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await);
    }
    // A constraint violation is not a failure of the database.
    let broken = matches!(&done, Err(StoreError::Database(error)) if error.as_database_error().is_none_or(|error| error.kind() == sqlx::error::ErrorKind::Other));
    shared.healthy.store(!broken, Ordering::Relaxed);
    done
}
