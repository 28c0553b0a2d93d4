//! Transactions: time of the database, retries of deadlocks, and the result of a commit whose
//! response was lost.

use super::{OPERATION_TIMEOUT, PostgresStore, within};
use crate::clock::Timestamp;
use crate::store::traced::traced;
use crate::store::{Result, StoreError};
use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Row as _};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Begins a transaction, and reads what identifies it, in one round trip.
const BEGIN: &str = "BEGIN; SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, \
    pg_current_xact_id()::text AS id";
const STATUS: &str = "SELECT pg_xact_status($1::xid8)";
/// Maximum number of attempts of a transaction that PostgreSQL aborts because of another one.
const MAX_ATTEMPTS: u32 = 5;
/// Pause between two reads of the result of a commit.
const RESOLVE_INTERVAL: Duration = Duration::from_millis(100);

/// An open transaction. Its connection is closed if it is dropped before its end.
pub(super) struct Transaction {
    connection: PoolConnection<Postgres>,
    /// Time of the database at the begin.
    pub(super) now: Timestamp,
    /// Id by which PostgreSQL remembers the result.
    id: String,
    discarded: bool,
    ended: bool,
}

impl Transaction {
    async fn begin(store: &PostgresStore) -> Result<Self> {
        let connection = store.db.untraced().acquire().await?;
        let (now, id) = (Timestamp(0), String::new());
        // Created before the statement, so that a failure closes the connection.
        let mut begun = Self { connection, now, id, discarded: false, ended: false };
        let before = Timestamp::now();
        let row = sqlx::raw_sql(BEGIN).fetch_one(&mut *begun).await?;
        let after = Timestamp::now();
        (begun.now, begun.id) = (row.try_get("now")?, row.try_get("id")?);
        store.ahead.store(begun.now.ahead_of(before, after), Ordering::Relaxed);
        Ok(begun)
    }

    /// Rolls back at the end, although the statements succeed.
    pub(super) fn discard(&mut self) {
        self.discarded = true;
    }

    async fn end(mut self, statement: &'static str) -> sqlx::Result<()> {
        within(OPERATION_TIMEOUT, sqlx::raw_sql(statement).execute(&mut *self)).await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl PostgresStore {
    /// Executes `statement` with its `arguments` in a transaction. `summary` names the span.
    pub(super) async fn write<A, T, F>(
        &self,
        summary: &'static str,
        arguments: A,
        statement: F,
    ) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Transaction, &'c A) -> BoxFuture<'c, Result<T>> + Send + Sync,
    {
        traced(&self.db, summary, self.write_untraced(arguments, statement)).await
    }

    /// [`Self::write`] without a span, for timers.
    pub(super) async fn write_untraced<A, T, F>(&self, arguments: A, statement: F) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Transaction, &'c A) -> BoxFuture<'c, Result<T>> + Send + Sync,
    {
        let mut attempt = 1;
        loop {
            let done = self.attempt(&arguments, &statement).await;
            match done {
                Err(StoreError::Database(error))
                    if attempt < MAX_ATTEMPTS && is_conflict(&error) =>
                {
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    async fn attempt<A, T, F>(&self, arguments: &A, statement: &F) -> Result<T>
    where
        F: for<'c> Fn(&'c mut Transaction, &'c A) -> BoxFuture<'c, Result<T>>,
    {
        let mut transaction = within(OPERATION_TIMEOUT, Transaction::begin(self)).await?;
        let executed = within(OPERATION_TIMEOUT, statement(&mut transaction, arguments)).await;
        if executed.is_err() || transaction.discarded {
            // A failure loses the connection, and the server rolls back.
            if let Err(error) = transaction.end("ROLLBACK").await {
                tracing::debug!(%error, "cannot roll back");
            }
            return executed;
        }
        let id = transaction.id.clone();
        if let Err(error) = transaction.end("COMMIT").await {
            self.resolve(&id, error).await?;
        }
        executed
    }

    /// Returns whether a transaction was committed whose COMMIT failed. Waits until the database
    /// responds: a caller that is wrong about the result would count the end of a run twice or
    /// never.
    async fn resolve(&self, id: &str, error: sqlx::Error) -> Result<()> {
        tracing::warn!(%error, "the result of a commit is unknown, reading it");
        loop {
            let status = sqlx::query_scalar::<_, Option<String>>(STATUS).bind(id);
            let status = status.fetch_one(self.db.untraced());
            match within(OPERATION_TIMEOUT, status).await {
                Ok(Some(status)) if status == "committed" => return Ok(()),
                // `None`: so old that nothing is known about it.
                Ok(Some(status)) if status == "aborted" => return Err(error.into()),
                Ok(None) => return Err(error.into()),
                Err(sqlx::Error::PoolClosed) => return Err(StoreError::Closed),
                Ok(Some(_)) | Err(_) => tokio::time::sleep(RESOLVE_INTERVAL).await,
            }
        }
    }
}

/// Returns whether PostgreSQL aborted the transaction because of another one: a serialization
/// failure or a deadlock.
fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01"))
}
