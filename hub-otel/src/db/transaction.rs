//! A traced transaction.

use crate::db::connection::Connection;
use crate::db::tracer::StatementTracer;
use sqlx::Database;
use sqlx::Error;
use std::ops::Deref;
use std::ops::DerefMut;

/// A transaction or savepoint whose statements are traced.
///
/// ```
/// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
/// let mut tx = db.begin().await?;
/// sqlx::query("DELETE FROM runs").execute(&mut *tx).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
///
/// # Cancellation
/// Dropped without [`Transaction::commit`], it is rolled back by sqlx on the next use of the
/// connection. That rollback has no span.
pub struct Transaction<'c, DB: Database> {
    connection: Connection<DB, sqlx::Transaction<'c, DB>>,
}

impl<'c, DB: Database> Transaction<'c, DB> {
    pub(super) fn new(inner: sqlx::Transaction<'c, DB>, tracer: StatementTracer) -> Self {
        Self { connection: Connection::new(inner, tracer) }
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// # Errors
    /// Those of sqlx. The transaction is then rolled back.
    pub async fn commit(self) -> Result<(), Error> {
        let (inner, tracer) = self.connection.into_parts();
        tracer.trace("COMMIT", |()| false, inner.commit()).await
    }

    /// Rolls back the transaction, or to the savepoint.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let mut tx = db.begin().await?;
    /// let deleted = sqlx::query("DELETE FROM runs").execute(&mut *tx).await?.rows_affected();
    /// if deleted > 100 { tx.rollback().await? } else { tx.commit().await? }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of sqlx.
    pub async fn rollback(self) -> Result<(), Error> {
        let (inner, tracer) = self.connection.into_parts();
        tracer.trace("ROLLBACK", |()| false, inner.rollback()).await
    }
}

impl<DB: Database> std::fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Transaction").field(&self.connection).finish()
    }
}

impl<'c, DB: Database> Deref for Transaction<'c, DB> {
    type Target = Connection<DB, sqlx::Transaction<'c, DB>>;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl<DB: Database> DerefMut for Transaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}
