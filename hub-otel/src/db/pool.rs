//! The traced pool.

use crate::Telemetry;
use crate::db::acquire::acquire;
use crate::db::connection::Connection;
use crate::db::connections::{self, NamedPool};
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
use sqlx::SqlSafeStr;
use sqlx::pool::PoolConnection;
use std::ops::DerefMut;
use std::sync::Arc;

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
    /// Set if the connections of the pool are exported, which ends with the last clone.
    named: Option<Arc<dyn NamedPool>>,
}

impl<DB: Database> Db<DB> {
    /// Traces the statements that are executed on `pool` through the returned value.
    pub fn new(pool: Pool<DB>) -> Self {
        let tracer =
            StatementTracer { system: System::of(&pool), source: InstanceSource::from_context() };
        Self { pool, tracer, named: None }
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
        self.tracer.source = InstanceSource::of(telemetry.instance());
        match self.named.take() {
            Some(named) => self.pool_name(named.name()),
            None => self,
        }
    }

    /// Exports the connections of the pool under this name: `db.client.connection.count` by state
    /// (`idle`, `used`) and `db.client.connection.max` (semantic conventions, database metrics).
    ///
    /// The name is a constant of the program, and unique in it; connections of pools with the same
    /// name are added. A connection that is being opened counts as used. The export ends when the
    /// pool is closed or the last clone of this value is dropped, and does not keep the pool alive.
    /// For a pool that is older than the telemetry it begins with the first traced statement.
    ///
    /// ```
    /// # fn run(pool: sqlx::SqlitePool) {
    /// let db = hub_otel::db::Db::new(pool).pool_name("orders");
    /// # let _ = db; }
    /// ```
    pub fn pool_name(mut self, name: impl Into<String>) -> Self {
        self.named = Some(connections::observe(&self.pool, name.into(), &self.tracer.source));
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

    /// Begins a transaction with `statement` instead of `BEGIN`. The span is named after its
    /// summary: `BEGIN`.
    ///
    /// On SQLite a transaction that writes takes its lock at once with `BEGIN IMMEDIATE`.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    /// sqlx::query("UPDATE runs SET owner = 1").execute(&mut *tx).await?;
    /// tx.commit().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `Pool::begin_with`.
    pub async fn begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'static, DB>, Error> {
        let statement = statement.into_sql_str();
        let begin = self.pool.begin_with(statement.clone());
        let inner = self.tracer.clone().trace(statement.as_str(), |_| false, begin).await?;
        Ok(Transaction::new(inner, self.tracer.clone()))
    }

    /// Begins a transaction if a connection is idle. Returns `None`, without a span, if none is.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// if let Some(mut tx) = db.try_begin().await? {
    ///     sqlx::query("DELETE FROM runs").execute(&mut *tx).await?;
    ///     tx.commit().await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `Pool::try_begin`.
    pub async fn try_begin(&self) -> Result<Option<Transaction<'static, DB>>, Error> {
        let tracer = self.tracer.clone();
        let begun = tracer.clone().trace_if_idle("BEGIN", self.pool.try_begin()).await?;
        Ok(begun.map(|inner| Transaction::new(inner, tracer)))
    }

    /// Does what [`try_begin`](Self::try_begin) does, with `statement` instead of `BEGIN`.
    ///
    /// # Errors
    /// Those of `Pool::try_begin_with`.
    pub async fn try_begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Option<Transaction<'static, DB>>, Error> {
        let tracer = self.tracer.clone();
        let statement = statement.into_sql_str();
        let begin = self.pool.try_begin_with(statement.clone());
        let begun = tracer.clone().trace_if_idle(statement.as_str(), begin).await?;
        Ok(begun.map(|inner| Transaction::new(inner, tracer)))
    }

    /// Returns an idle connection, whose statements are traced. `None` if there is none.
    pub fn try_acquire(&self) -> Option<Connection<DB>> {
        let connection = self.pool.try_acquire()?;
        Some(Connection::new(connection, self.tracer.clone()))
    }

    /// Traces the statements of a connection or transaction that the program has already, such as
    /// one that a framework hands over.
    ///
    /// ```
    /// # use hub_otel::db::Db;
    /// # use sqlx::{Sqlite, SqliteConnection};
    /// # async fn run(db: Db<Sqlite>, mut own: SqliteConnection) -> sqlx::Result<()> {
    /// let mut traced = db.wrap(&mut own);
    /// sqlx::query("DELETE FROM runs").execute(&mut traced).await?;
    /// # Ok(()) }
    /// ```
    pub fn wrap<C>(&self, connection: C) -> Connection<DB, C>
    where
        C: DerefMut<Target = DB::Connection>,
    {
        Connection::new(connection, self.tracer.clone())
    }

    /// Traces the statements and the end of a transaction that the program has begun.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let own: sqlx::Transaction<'_, sqlx::Sqlite> = db.untraced().begin().await?;
    /// let mut tx = db.wrap_transaction(own);
    /// sqlx::query("DELETE FROM runs").execute(&mut *tx).await?;
    /// tx.commit().await
    /// # }
    /// ```
    pub fn wrap_transaction<'c>(
        &self,
        transaction: sqlx::Transaction<'c, DB>,
    ) -> Transaction<'c, DB> {
        Transaction::new(transaction, self.tracer.clone())
    }

    /// Closes the pool: see `Pool::close`.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl<DB: Database> Clone for Db<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), tracer: self.tracer.clone(), named: self.named.clone() }
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
        let Db { pool, tracer, .. } = self.clone();
        Box::pin(async move { acquire(&tracer, pool.acquire()).await })
    }

    fn begin(self) -> BoxFuture<'a, Result<sqlx::Transaction<'a, DB>, Error>> {
        let Db { pool, tracer, .. } = self.clone();
        Box::pin(async move { acquire(&tracer, pool.begin()).await })
    }
}
