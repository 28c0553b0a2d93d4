//! Commits the statements of many callers in one transaction.
//!
//! A statement that fails must not take the others of its group with it: the group is rolled back and each is tried
//! alone. That is why a statement is a closure that can be called twice.

use super::Connection;
use crate::store::{Result, StoreError};
use futures_util::future::BoxFuture;
use hub_otel::db::{Caller, Db};
use sqlx::{Sqlite, SqlitePool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

/// So many statements share a commit at most: a bound on how long the first of them waits.
const LARGEST_GROUP: usize = 512;
/// So many may wait; past it, callers wait before they are queued.
const QUEUE: usize = 4096;

/// The one who writes; cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    shared: Arc<Shared>,
}

struct Shared {
    db: Db<Sqlite>,
    /// The last commit worked.
    proven: AtomicBool,
    closing: tokio::sync::Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("db", &self.shared.db).finish_non_exhaustive()
    }
}

type Answer<'c, T> = BoxFuture<'c, Result<T>>;

impl Writer {
    pub(super) fn start(db: Db<Sqlite>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            db,
            proven: AtomicBool::new(false),
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

    pub(super) fn is_proven(&self) -> bool {
        self.shared.proven.load(Ordering::Relaxed)
    }

    /// Executes `statement` with its `arguments` in a transaction with others, and answers when it is committed.
    /// `summary` names its span.
    pub(super) async fn write<A, T, F>(
        &self,
        summary: &'static str,
        arguments: A,
        statement: F,
    ) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Connection, &'c A) -> Answer<'c, T> + Send + Sync + 'static,
    {
        let mut verdict = Ok(());
        let handed_over = async {
            let (reply, answer) = oneshot::channel();
            let caller = Caller::current();
            let job = Typed { arguments, statement, output: None, reply: Some(reply), caller };
            if self.queue.send(Box::new(job)).await.is_err() {
                verdict = Err(StoreError::Closed);
                return Err(sqlx::Error::PoolClosed);
            }
            match answer.await {
                Ok(Ok(output)) => Ok(output),
                Ok(Err(StoreError::Database(error))) => Err(error),
                Ok(Err(other)) => {
                    let text = other.to_string();
                    verdict = Err(other);
                    Err(sqlx::Error::Protocol(text))
                }
                Err(_) => {
                    verdict = Err(StoreError::Closed);
                    Err(sqlx::Error::PoolClosed)
                }
            }
        };
        let answered = self.shared.db.statement(summary, handed_over).await;
        verdict?;
        Ok(answered?)
    }

    /// Commits what is queued and stops.
    pub(super) async fn close(&self) {
        self.shared.closing.notify_one();
        if let Some(task) = self.shared.task.lock().await.take() {
            // The writer does not panic; were it to, there would be nothing left to wait for.
            drop(task.await);
        }
        self.shared.db.close().await;
    }
}

#[async_trait::async_trait]
trait Job: Send {
    async fn execute(&mut self, connection: &mut Connection) -> Result<()>;
    /// Answers the caller. Without an error the output counts.
    fn settle(&mut self, error: Option<StoreError>);
    fn caller(&self) -> Caller;
}

struct Typed<A, T, F> {
    arguments: A,
    statement: F,
    output: Option<T>,
    reply: Option<oneshot::Sender<Result<T>>>,
    caller: Caller,
}

#[async_trait::async_trait]
impl<A, T, F> Job for Typed<A, T, F>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'c> Fn(&'c mut Connection, &'c A) -> Answer<'c, T> + Send + Sync + 'static,
{
    async fn execute(&mut self, connection: &mut Connection) -> Result<()> {
        let output = (self.statement)(connection, &self.arguments).await?;
        self.output = Some(output);
        Ok(())
    }

    fn settle(&mut self, error: Option<StoreError>) {
        let answer = match (error, self.output.take()) {
            (Some(error), _) => Err(error),
            (None, Some(output)) => Ok(output),
            (None, None) => Err(StoreError::Closed),
        };
        if let Some(reply) = self.reply.take() {
            // A caller that went away wanted the write, not the answer.
            drop(reply.send(answer));
        }
    }

    fn caller(&self) -> Caller {
        self.caller.clone()
    }
}

async fn work(shared: Arc<Shared>, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut group: Vec<Box<dyn Job>> = Vec::with_capacity(LARGEST_GROUP);
    loop {
        tokio::select! {
            taken = jobs.recv_many(&mut group, LARGEST_GROUP) => if taken == 0 { return },
            () = shared.closing.notified() => jobs.close(),
        }
        if group.is_empty() {
            continue;
        }
        let callers = group.iter().map(|job| job.caller()).collect();
        let together = async {
            commit(&shared, &mut group).await.map_err(|error| match error {
                StoreError::Database(error) => error,
                other => sqlx::Error::Protocol(other.to_string()),
            })
        };
        match shared.db.group(callers, together).await {
            Ok(()) => group.iter_mut().for_each(|job| job.settle(None)),
            // It is to be found out over whom the group broke: one transaction for each.
            Err(_) => {
                for job in &mut group {
                    let alone = commit(&shared, std::slice::from_mut(job)).await;
                    job.settle(alone.err());
                }
            }
        }
        group.clear();
    }
}

/// Executes jobs in one transaction.
///
/// By hand, and not as sqlx's `Transaction`: when a COMMIT fails for want of disk, SQLite rolls back by itself, the
/// ROLLBACK that follows is an error, and sqlx counts the connection as inside of a transaction for ever.
async fn commit(shared: &Shared, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    let mut connection = shared.db.untraced().acquire().await?;
    let attempt = async {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
        for job in jobs {
            job.execute(&mut connection).await?;
        }
        sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
        Ok(())
    };
    let done = attempt.await;
    if done.is_err() {
        // There may be nothing left to roll back.
        drop(sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await);
    }
    // A statement that breaks a rule says nothing of the disk.
    let broken = matches!(&done, Err(StoreError::Database(error)) if error.as_database_error().is_none_or(|error| error.kind() == sqlx::error::ErrorKind::Other));
    shared.proven.store(!broken, Ordering::Relaxed);
    done
}
