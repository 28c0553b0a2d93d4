//! Statements that several tables' operations share.

use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::{Approval, NewRun, Run, RunStatus};
use crate::store::Result;
use sqlx::types::Json;

/// Inserts a run. Returns `None` if its idempotency key was used before.
pub(super) async fn insert_run(
    connection: &mut Connection,
    run: &NewRun,
    now: Timestamp,
) -> Result<Option<Run>> {
    let (key, fingerprint) = run.idempotency.as_ref().map(|(key, print)| (key, print)).unzip();
    Ok(sqlx::query_as(
        "INSERT INTO workflow_runs (id, workflow, trigger, context, status, retry_of, trace_id, \
         idempotency_key, idempotency_fingerprint, created_at) \
         VALUES (?1, ?2, ?3, ?4, 'PENDING', ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING *",
    )
    .bind(&run.id)
    .bind(&run.workflow)
    .bind(run.trigger)
    .bind(Json(&run.context))
    .bind(&run.retry_of)
    .bind(&run.trace_id)
    .bind(key)
    .bind(fingerprint)
    .bind(now)
    .fetch_optional(connection)
    .await?)
}

/// Loads a run inside a transaction.
pub(super) async fn select_run(connection: &mut Connection, id: &str) -> Result<Option<Run>> {
    let run = sqlx::query_as("SELECT * FROM workflow_runs WHERE id = ?1");
    Ok(run.bind(id).fetch_optional(connection).await?)
}

/// Sets a run without a task to a terminal status.
pub(super) async fn end_run(
    connection: &mut Connection,
    id: &str,
    from: RunStatus,
    to: RunStatus,
    failure: Option<(&str, &str)>,
) -> Result<bool> {
    let (error_type, error) = failure.unzip();
    let done = sqlx::query(
        "UPDATE workflow_runs SET status = ?3, error_type = ?4, error = ?5, finished_at = ?6, owner = NULL \
         WHERE id = ?1 AND status = ?2",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .bind(error_type)
    .bind(error)
    .bind(Timestamp::now())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Cancels the pending approvals of a run that ends.
pub(super) async fn cancel_pending_approvals(
    connection: &mut Connection,
    run: &str,
) -> Result<Vec<Approval>> {
    let cancelled = sqlx::query_as(
        "UPDATE approvals SET decision = 'CANCELLED', decided_at = ?2 WHERE run_id = ?1 AND decision = 'PENDING' \
         RETURNING *",
    );
    Ok(cancelled.bind(run).bind(Timestamp::now()).fetch_all(connection).await?)
}
