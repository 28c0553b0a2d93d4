//! The traced pool.

use crate::Telemetry;
use crate::db::acquire::acquire;
use crate::db::connection::Connection;
use crate::db::executor::executor;
use crate::db::system::System;
use crate::db::tracer::StatementTracer;
use crate::db::transaction::Transaction;
use crate::instrumentation::InstanceSource;
use futures_core::future::BoxFuture;
use sqlx::Acquire;
use sqlx::Database;
use sqlx::Error;
use sqlx::Executor;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

/// A sqlx pool whose statements are traced: a span and `db.client.operation.duration` per
/// statement, by the stable semantic conventions (database spans, database metrics).
///
/// It is an sqlx executor, so queries do not change:
///
/// ```no_run
/// # async fn run(pool: sqlx::Pool<sqlx::Postgres>) -> Result<(), sqlx::Error> {
/// let db = hub_otel::db::Db::new(pool);
/// let names: Vec<(String,)> =
///     sqlx::query_as("SELECT name FROM workflows").fetch_all(&db).await?;
///
/// let mut tx = db.begin().await?;
/// sqlx::query("DELETE FROM workflows WHERE name = $1").bind("old").execute(&mut *tx).await?;
/// tx.commit().await?;
/// # let _ = names; Ok(()) }
/// ```
///
/// The span is named after the summary of the statement (`SELECT workflows`). It lasts from the
/// call, including the wait for a connection, to the last row. Neither bound values nor the text of
/// the statement are recorded. `error.type` is one of a fixed set: `connection`, `pool_timeout`,
/// `constraint`, … ([`semconv::error_type::db`](crate::semconv::error_type::db)). If the
/// future is dropped, the span ends with `error.type` = `cancelled`.
pub struct Db<DB: Database> {
    pool: Pool<DB>,
    pub(super) tracer: StatementTracer,
}

impl<DB: Database> Db<DB> {
    /// Traces the statements that are executed on `pool` through the returned value.
    pub fn new(pool: Pool<DB>) -> Self {
        let tracer =
            StatementTracer { system: System::of(&pool), source: InstanceSource::from_context() };
        Self { pool, tracer }
    }

    /// Records into `telemetry` instead of the installed one: for tests, and for programs with
    /// several.
    ///
    /// ```
    /// # fn run(pool: sqlx::SqlitePool, telemetry: &hub_otel::Telemetry) {
    /// let db = hub_otel::db::Db::new(pool).telemetry(telemetry);
    /// # let _ = db; }
    /// ```
    pub fn telemetry(mut self, telemetry: &Telemetry) -> Self {
        self.tracer.source = telemetry
            .instance()
            .cloned()
            .map_or_else(InstanceSource::default, InstanceSource::explicit);
        self
    }

    /// Returns the inner pool, whose statements are not traced.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// sqlx::query("SELECT 1").execute(db.untraced()).await?;
    /// # Ok(()) }
    /// ```
    pub fn untraced(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Acquires a connection, whose statements are traced.
    ///
    /// Only a failure has a span: `error.type` = `pool_timeout`, `connection`, …
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let mut connection = db.acquire().await?;
    /// sqlx::query("PRAGMA optimize").execute(&mut connection).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `Pool::acquire`.
    ///
    /// # Cancellation
    /// A dropped future leaves a span with `error.type` = `cancelled`.
    pub async fn acquire(&self) -> Result<Connection<DB>, Error> {
        let connection = acquire(&self.tracer, self.pool.acquire()).await?;
        Ok(Connection::new(connection, self.tracer.clone()))
    }

    /// Begins a transaction: `BEGIN`, each statement, and `COMMIT` or `ROLLBACK` have a span.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let mut tx = db.begin().await?;
    /// sqlx::query("DELETE FROM runs").execute(&mut *tx).await?;
    /// tx.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `Pool::begin`.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        let inner = self.tracer.clone().trace("BEGIN", |_| false, self.pool.begin()).await?;
        Ok(Transaction::new(inner, self.tracer.clone()))
    }

    /// Closes the pool: see `Pool::close`.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl<DB: Database> Clone for Db<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), tracer: self.tracer.clone() }
    }
}

impl<DB: Database> std::fmt::Debug for Db<DB> {
    /// Without the options of the pool, which contain the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("system", &self.tracer.system.name).finish_non_exhaustive()
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
    executor!(self, self.tracer.clone(), (&self.pool));
}

/// For code that acquires a connection by itself, such as migrations (`migrate!().run(&db)`). The
/// statements on that connection are not traced; a failure to acquire it is.
impl<'a, DB: Database> Acquire<'a> for &Db<DB> {
    type Database = DB;
    type Connection = PoolConnection<DB>;

    fn acquire(self) -> BoxFuture<'a, Result<Self::Connection, Error>> {
        let Db { pool, tracer } = self.clone();
        Box::pin(async move { acquire(&tracer, pool.acquire()).await })
    }

    fn begin(self) -> BoxFuture<'a, Result<sqlx::Transaction<'a, DB>, Error>> {
        let Db { pool, tracer } = self.clone();
        Box::pin(async move { acquire(&tracer, pool.begin()).await })
    }
}
