//! One connection, traced: what a pool hands out and what a transaction runs on.

use crate::db::executor::{Watcher, executor};
use sqlx::Database;
use sqlx::Executor;
use sqlx::pool::PoolConnection;
use std::marker::PhantomData;
use std::ops::DerefMut;

/// A connection whose statements are traced: `query(…).execute(&mut connection)`.
pub struct Connection<DB: Database, C = PoolConnection<DB>> {
    inner: C,
    watcher: Watcher,
    database: PhantomData<fn() -> DB>,
}

impl<DB: Database, C> Connection<DB, C> {
    pub(super) fn new(inner: C, watcher: Watcher) -> Self {
        Self { inner, watcher, database: PhantomData }
    }

    /// The connection inside: what goes through it is not traced.
    pub fn untraced(&mut self) -> &mut C {
        &mut self.inner
    }

    pub(super) fn into_parts(self) -> (C, Watcher) {
        (self.inner, self.watcher)
    }

    pub(super) fn watcher(&self) -> &Watcher {
        &self.watcher
    }
}

impl<DB: Database, C> std::fmt::Debug for Connection<DB, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("system", &self.watcher.system.name)
            .finish_non_exhaustive()
    }
}

impl<'c, DB, C> Executor<'c> for &'c mut Connection<DB, C>
where
    DB: Database,
    C: DerefMut<Target = DB::Connection> + Send,
    for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
{
    executor!(self, self.watcher.clone(), (&mut *self.inner));
}
