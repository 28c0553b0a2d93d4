//! A traced connection: the result of [`Db::acquire`](super::Db::acquire), and the base of a
//! transaction.

use crate::db::executor::executor;
use crate::db::system::System;
use crate::db::tracer::StatementTracer;
use crate::db::transaction::Transaction;
use crate::instrumentation::InstanceSource;
use sqlx::Database;
use sqlx::Error;
use sqlx::Executor;
use sqlx::SqlSafeStr;
use sqlx::SqlStr;
use sqlx::pool::PoolConnection;
use std::marker::PhantomData;
use std::ops::DerefMut;

/// A connection whose statements are traced.
///
/// ```
/// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
/// let mut connection = db.acquire().await?;
/// sqlx::query("DELETE FROM runs").execute(&mut connection).await?;
/// # Ok(()) }
/// ```
pub struct Connection<DB: Database, C = PoolConnection<DB>> {
    inner: C,
    tracer: StatementTracer,
    database: PhantomData<fn() -> DB>,
}

impl<DB: Database, C> Connection<DB, C> {
    pub(super) fn new(inner: C, tracer: StatementTracer) -> Self {
        Self { inner, tracer, database: PhantomData }
    }

    /// Returns the inner connection, whose statements are not traced.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let mut connection = db.acquire().await?;
    /// sqlx::query("SELECT 1").execute(&mut **connection.untraced()).await?;
    /// # Ok(()) }
    /// ```
    pub fn untraced(&mut self) -> &mut C {
        &mut self.inner
    }

    /// Traces the statements of a connection that was opened without a pool, with these options.
    ///
    /// ```
    /// use hub_otel::db::Connection;
    /// use sqlx::ConnectOptions as _;
    ///
    /// # async fn run(options: sqlx::sqlite::SqliteConnectOptions) -> sqlx::Result<()> {
    /// let connection = Box::new(options.connect().await?);
    /// let mut connection = Connection::<sqlx::Sqlite, _>::with_options(connection, &options);
    /// sqlx::query("DELETE FROM runs").execute(&mut connection).await?;
    /// # Ok(()) }
    /// ```
    pub fn with_options(
        connection: C,
        options: &<DB::Connection as sqlx::Connection>::Options,
    ) -> Self
    where
        C: DerefMut<Target = DB::Connection>,
    {
        let source = InstanceSource::from_context();
        let tracer = StatementTracer { system: System::of_options::<DB>(options), source };
        Self::new(connection, tracer)
    }

    /// Begins a transaction on this connection, or a savepoint in its transaction: `BEGIN` and each
    /// statement have a span.
    ///
    /// ```
    /// # async fn run(db: hub_otel::db::Db<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let mut connection = db.acquire().await?;
    /// let mut tx = connection.begin().await?;
    /// sqlx::query("DELETE FROM runs").execute(&mut *tx).await?;
    /// tx.commit().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of sqlx.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error>
    where
        C: DerefMut<Target = DB::Connection>,
    {
        self.begin_statement(None).await
    }

    /// Does what [`begin`](Self::begin) does, with `statement` instead of `BEGIN`.
    ///
    /// # Errors
    /// Those of sqlx: the connection is in a transaction already, or `statement` begins none.
    pub async fn begin_with(
        &mut self,
        statement: impl SqlSafeStr,
    ) -> Result<Transaction<'_, DB>, Error>
    where
        C: DerefMut<Target = DB::Connection>,
    {
        self.begin_statement(Some(statement.into_sql_str())).await
    }

    async fn begin_statement(
        &mut self,
        statement: Option<SqlStr>,
    ) -> Result<Transaction<'_, DB>, Error>
    where
        C: DerefMut<Target = DB::Connection>,
    {
        let tracer = self.tracer.clone();
        let is_nested = sqlx::Connection::is_in_transaction(&*self.inner);
        let default = if is_nested { "SAVEPOINT" } else { "BEGIN" };
        let sql = statement.as_ref().map_or(default, SqlStr::as_str).to_owned();
        let connection = &mut *self.inner;
        let begin = async {
            match statement {
                Some(statement) => sqlx::Connection::begin_with(connection, statement).await,
                None => sqlx::Connection::begin(connection).await,
            }
        };
        let inner = tracer.clone().trace(sql, |_| false, begin).await?;
        Ok(Transaction::new(inner, tracer))
    }

    pub(super) fn into_parts(self) -> (C, StatementTracer) {
        (self.inner, self.tracer)
    }
}

impl<DB: Database, C> std::fmt::Debug for Connection<DB, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut output = f.debug_struct("Connection");
        output.field("system", &self.tracer.system.name).finish_non_exhaustive()
    }
}

impl<'c, DB, C> Executor<'c> for &'c mut Connection<DB, C>
where
    DB: Database,
    C: DerefMut<Target = DB::Connection> + Send,
    for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
{
    executor!(self, self.tracer.clone(), (&mut *self.inner));
}
