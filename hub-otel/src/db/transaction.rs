//! A transaction, traced from BEGIN to COMMIT or ROLLBACK.

use crate::db::connection::Connection;
use crate::db::executor::Watcher;
use sqlx::Acquire;
use sqlx::Database;
use sqlx::Error;
use std::ops::Deref;
use std::ops::DerefMut;

/// A transaction or savepoint whose statements are traced: `query(…).execute(&mut *tx)`.
///
/// # Cancellation
/// Dropped without [`Transaction::commit`], it is rolled back: by sqlx, later, on the connection's next use.
pub struct Transaction<'c, DB: Database> {
    connection: Connection<DB, sqlx::Transaction<'c, DB>>,
}

impl<'c, DB: Database> Transaction<'c, DB> {
    pub(super) fn new(inner: sqlx::Transaction<'c, DB>, watcher: Watcher) -> Self {
        Self { connection: Connection::new(inner, watcher) }
    }

    /// Commits.
    ///
    /// # Errors
    /// As sqlx's: the transaction is then rolled back.
    pub async fn commit(self) -> Result<(), Error> {
        let (inner, watcher) = self.connection.into_parts();
        watcher.answer("COMMIT", |()| false, inner.commit()).await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// As sqlx's.
    pub async fn rollback(self) -> Result<(), Error> {
        let (inner, watcher) = self.connection.into_parts();
        watcher.answer("ROLLBACK", |()| false, inner.rollback()).await
    }

    /// A savepoint inside this transaction.
    ///
    /// # Errors
    /// As sqlx's.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        let watcher = self.connection.watcher().clone();
        let inner = Acquire::begin(self.connection.untraced());
        let inner = watcher.clone().answer("SAVEPOINT", |_| false, inner).await?;
        Ok(Transaction::new(inner, watcher))
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
