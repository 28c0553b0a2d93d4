//! The pool: what the program holds in place of sqlx's.

use crate::Telemetry;
use crate::db::acquire::acquire;
use crate::db::connection::Connection;
use crate::db::executor::{Watcher, executor};
use crate::db::system::System;
use crate::db::transaction::Transaction;
use crate::instrumentation::InstanceSource;
use futures_core::future::BoxFuture;
use sqlx::Acquire;
use sqlx::Database;
use sqlx::Error;
use sqlx::Executor;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

/// A sqlx pool whose statements are traced: a span and `db.client.operation.duration` per statement, by the stable
/// semantic conventions (database spans, database metrics).
///
/// It is an sqlx executor, so queries stay as they are:
///
/// ```no_run
/// # async fn run(pool: sqlx::Pool<sqlx::Postgres>) -> Result<(), sqlx::Error> {
/// let db = hub_otel::db::Db::new(pool);
/// let names: Vec<(String,)> = sqlx::query_as("SELECT name FROM workflows").fetch_all(&db).await?;
///
/// let mut tx = db.begin().await?;
/// sqlx::query("DELETE FROM workflows WHERE name = $1").bind("old").execute(&mut *tx).await?;
/// tx.commit().await?;
/// # let _ = names; Ok(()) }
/// ```
///
/// The span is named after the statement's summary (`SELECT workflows`) and lasts from the call (waiting for a
/// connection included) to the last row. Neither bound values nor the statement's text are recorded. `error.type` is a
/// kind: `connection`, `pool_timeout`, `constraint`, … ([`contract::boundary::db`](crate::semconv::instrumentation::db)). A
/// caller who drops the future has it end as `cancelled`.
pub struct Db<DB: Database> {
    pool: Pool<DB>,
    pub(super) watcher: Watcher,
}

impl<DB: Database> Db<DB> {
    /// Traces what goes through this pool.
    pub fn new(pool: Pool<DB>) -> Self {
        let watcher = Watcher { system: System::of(&pool), target: InstanceSource::from_context() };
        Self { pool, watcher }
    }

    /// Records into this telemetry where it is not the installed one: for tests, and for programs with several.
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.watcher.target = telemetry
            .instance()
            .cloned()
            .map_or_else(InstanceSource::default, InstanceSource::explicit);
        self
    }

    /// The pool inside: what goes through it is not traced.
    pub fn untraced(&self) -> &Pool<DB> {
        &self.pool
    }

    /// A connection of the pool, traced. One that does not come (in time) leaves a span of its own, with `error.type` =
    /// `pool_timeout`, `connection`, …
    ///
    /// # Errors
    /// As `Pool::acquire`.
    ///
    /// # Cancellation
    /// A dropped future leaves a span that is `cancelled`.
    pub async fn acquire(&self) -> Result<Connection<DB>, Error> {
        let connection = acquire(&self.watcher, self.pool.acquire()).await?;
        Ok(Connection::new(connection, self.watcher.clone()))
    }

    /// A transaction: `BEGIN`, every statement and `COMMIT` or `ROLLBACK` have spans of their own.
    ///
    /// # Errors
    /// As `Pool::begin`.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        let inner = self.watcher.clone().answer("BEGIN", |_| false, self.pool.begin()).await?;
        Ok(Transaction::new(inner, self.watcher.clone()))
    }

    /// Closes the pool: see `Pool::close`.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl<DB: Database> Clone for Db<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), watcher: self.watcher.clone() }
    }
}

impl<DB: Database> std::fmt::Debug for Db<DB> {
    /// Without the pool's options: they know the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("system", &self.watcher.system.name).finish_non_exhaustive()
    }
}

impl<DB: Database> From<Pool<DB>> for Db<DB> {
    fn from(pool: Pool<DB>) -> Self {
        Self::new(pool)
    }
}

impl<'c, DB: Database> Executor<'c> for &'c Db<DB>
where
    for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
{
    executor!(self, self.watcher.clone(), (&self.pool));
}

/// For what asks for a connection by itself, as migrations do (`migrate!().run(&db)`): what runs on it is not traced, a
/// connection that does not come is.
impl<'a, DB: Database> Acquire<'a> for &Db<DB> {
    type Database = DB;
    type Connection = PoolConnection<DB>;

    fn acquire(self) -> BoxFuture<'a, Result<Self::Connection, Error>> {
        let Db { pool, watcher } = self.clone();
        Box::pin(async move { acquire(&watcher, pool.acquire()).await })
    }

    fn begin(self) -> BoxFuture<'a, Result<sqlx::Transaction<'a, DB>, Error>> {
        let Db { pool, watcher } = self.clone();
        Box::pin(async move { acquire(&watcher, pool.begin()).await })
    }
}
