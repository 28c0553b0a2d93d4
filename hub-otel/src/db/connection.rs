//! A traced connection: the result of [`Db::acquire`](super::Db::acquire), and the base of a
//! transaction.

use crate::db::executor::executor;
use crate::db::tracer::StatementTracer;
use sqlx::Database;
use sqlx::Executor;
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

    pub(super) fn into_parts(self) -> (C, StatementTracer) {
        (self.inner, self.tracer)
    }

    pub(super) fn tracer(&self) -> &StatementTracer {
        &self.tracer
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
