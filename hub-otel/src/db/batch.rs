//! Statements that are executed for others: a single writer that commits many callers' statements in one transaction.
//!
//! The caller's statement keeps a span of its own, from the moment it was handed over to the commit, below whatever
//! asked; the transaction that carried it is another trace's, and links to each of them.

use crate::db::pool::Db;
use opentelemetry::Context;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::TraceContextExt;
use sqlx::Database;
use sqlx::Error;
use std::future::Future;

/// A statement that waits for its group: what the group's span links to.
#[derive(Debug, Clone)]
pub struct Caller(SpanContext);

impl Caller {
    /// The statement whose future is polled now: to be asked for inside [`Db::statement`].
    pub fn current() -> Self {
        Self(Context::current().span().span_context().clone())
    }
}

impl<DB: Database> Db<DB> {
    /// Traces a statement that is executed elsewhere; `sql` is what is summarised, `future` is its answer.
    ///
    /// # Errors
    /// Those of `future`.
    pub async fn statement<T>(
        &self,
        sql: &str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.watcher.clone().answer(sql, |_| false, future).await
    }

    /// Traces the transaction that carries these statements. A group of one needs no span: the caller's says it all.
    ///
    /// # Errors
    /// Those of `future`.
    pub async fn group<T>(
        &self,
        callers: Vec<Caller>,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if callers.len() < 2 {
            return future.await;
        }
        let links =
            callers.into_iter().map(|caller| caller.0).filter(SpanContext::is_valid).collect();
        self.watcher.clone().linked("COMMIT", links, future).await
    }
}
