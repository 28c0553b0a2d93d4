//! Statements that another task executes: a single writer that commits the statements of many
//! callers in one transaction.
//!
//! Each caller's statement has a span in the caller's trace, which lasts from the hand-over to the
//! commit. The transaction has a span in the writer's trace, with a link to each statement.

use crate::db::pool::Db;
use opentelemetry::Context;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::TraceContextExt;
use sqlx::Database;
use sqlx::Error;
use std::future::Future;

/// A statement that waits for its batch: the target of a link from the batch's span.
///
/// ```
/// use hub_otel::db::{BatchMember, Db};
/// use tokio::sync::{mpsc, oneshot};
///
/// /// An insert that the writer commits together with others.
/// struct Insert {
///     name: String,
///     member: BatchMember,
///     done: oneshot::Sender<()>,
/// }
///
/// // A caller hands its statement to the writer.
/// async fn insert(
///     db: &Db<sqlx::Sqlite>,
///     writer: &mpsc::Sender<Insert>,
///     name: String,
/// ) -> sqlx::Result<()> {
///     db.trace_statement("INSERT INTO runs VALUES (?)", async {
///         let (done, committed) = oneshot::channel();
///         let insert = Insert { name, member: BatchMember::current(), done };
///         writer.send(insert).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
///         committed.await.map_err(|_| sqlx::Error::WorkerCrashed)
///     })
///     .await
/// }
///
/// // The writer commits a batch.
/// async fn write(db: &Db<sqlx::Sqlite>, batch: Vec<Insert>) -> sqlx::Result<()> {
///     let members = batch.iter().map(|insert| insert.member.clone()).collect();
///     db.trace_batch(members, async {
///         let mut tx = db.untraced().begin().await?;
///         for insert in &batch {
///             sqlx::query("INSERT INTO runs VALUES (?)").bind(&insert.name).execute(&mut *tx).await?;
///         }
///         tx.commit().await
///     })
///     .await?;
///     for insert in batch {
///         let _ = insert.done.send(());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct BatchMember(SpanContext);

impl BatchMember {
    /// Returns the statement that the current future belongs to. Call it inside the future that is
    /// given to [`Db::trace_statement`].
    pub fn current() -> Self {
        Self(Context::current().span().span_context().clone())
    }
}

impl<DB: Database> Db<DB> {
    /// Traces a statement that another task executes. The span and the metric are named after the
    /// summary of `sql`; `future` completes when the statement is done. [`BatchMember`] has an
    /// example.
    ///
    /// # Errors
    /// Those of `future`.
    pub async fn trace_statement<T>(
        &self,
        sql: &str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.tracer.clone().trace(sql, |_| false, future).await
    }

    /// Traces the transaction that executes the statements of `members`, as a `COMMIT` with a link
    /// to each. [`BatchMember`] has an example.
    ///
    /// A batch of fewer than two has no span: it would only repeat the member's own.
    ///
    /// # Errors
    /// Those of `future`.
    pub async fn trace_batch<T>(
        &self,
        members: Vec<BatchMember>,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if members.len() < 2 {
            return future.await;
        }
        let contexts = members.into_iter().map(|member| member.0);
        let links = contexts.filter(SpanContext::is_valid).collect();
        self.tracer.clone().trace_linked("COMMIT", links, future).await
    }
}
