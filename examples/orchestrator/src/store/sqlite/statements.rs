//! Statements that several tables' operations share.

use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::{Approval, NewRun, Run, RunState, RunStatus};
use crate::store::rules::Change;
use crate::store::{Admission, Owner, Result};
use sqlx::types::Json;

/// The only statement that changes the status or the owner of one run.
const CHANGE: &str = "UPDATE workflow_runs SET status = ?5, owner = ?6, version = version + 1, \
    error_type = ?7, error = ?8, segment = coalesce(?9, segment), \
    executed_ms = coalesce(?10, executed_ms), waits = waits + ?11, \
    started_at = coalesce(started_at, ?12), resumed_at = ?12, finished_at = ?13 \
    WHERE id = ?1 AND status = ?2 AND version = ?3 AND coalesce(owner, '') = ?4 RETURNING *";

/// Changes a run from the state `before`. Returns `None` if another writer was first.
pub(super) async fn change_run(
    connection: &mut Connection,
    before: &RunState,
    to: RunStatus,
    change: Change<'_>,
) -> Result<Option<Run>> {
    let now = Timestamp::now();
    let (error_type, error) = change.failure.unzip();
    let run: Option<Run> = sqlx::query_as(CHANGE)
        .bind(&before.id)
        .bind(before.status)
        .bind(before.version)
        .bind(before.owner.as_deref().unwrap_or_default())
        .bind(to)
        .bind(change.owner)
        .bind(error_type)
        .bind(error)
        .bind(change.segment)
        .bind(change.executed())
        .bind(to == RunStatus::WaitingApproval)
        .bind((to == RunStatus::Running).then_some(now))
        .bind(to.is_terminal().then_some(now))
        .fetch_optional(&mut *connection)
        .await?;
    if run.is_some() && before.owner.as_deref() != change.owner {
        for (owner, by) in [(before.owner.as_deref(), -1), (change.owner, 1)] {
            let count = sqlx::query("UPDATE owners SET runs = runs + ?2 WHERE id = ?1");
            count.bind(owner).bind(by).execute(&mut *connection).await?;
        }
    }
    Ok(run)
}

/// Inserts a run as PENDING.
pub(super) async fn insert_run(
    connection: &mut Connection,
    run: &NewRun,
    owner: &Owner,
    now: Timestamp,
) -> Result<Run> {
    let (key, fingerprint) = run.idempotency.as_ref().map(|(key, print)| (key, print)).unzip();
    Ok(sqlx::query_as(
        "INSERT INTO workflow_runs (id, workflow, trigger, context, status, owner, retry_of, trace_id, \
         idempotency_key, idempotency_fingerprint, created_at) \
         VALUES (?1, ?2, ?3, ?4, 'PENDING', ?5, ?6, ?7, ?8, ?9, ?10) RETURNING *",
    )
    .bind(&run.id)
    .bind(&run.workflow)
    .bind(run.trigger)
    .bind(Json(&run.context))
    .bind(&owner.id)
    .bind(&run.retry_of)
    .bind(&run.trace_id)
    .bind(key)
    .bind(fingerprint)
    .bind(now)
    .fetch_one(connection)
    .await?)
}

/// Counts one more run of an owner. Returns `false` if it has the maximum number of runs.
pub(super) async fn take_slot(
    connection: &mut Connection,
    admission: &Admission,
    now: Timestamp,
) -> Result<bool> {
    insert_owner(connection, &admission.owner, now).await?;
    let take = sqlx::query("UPDATE owners SET runs = runs + 1 WHERE id = ?1 AND runs < ?2");
    let take = take.bind(&admission.owner.id).bind(admission.max_runs);
    Ok(take.execute(connection).await?.rows_affected() == 1)
}

/// Inserts the lease of an owner, unless it has one.
pub(super) async fn insert_owner(
    connection: &mut Connection,
    owner: &Owner,
    now: Timestamp,
) -> Result<()> {
    let insert = sqlx::query("INSERT INTO owners VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING");
    insert.bind(&owner.id).bind(now.after(owner.lease)).execute(connection).await?;
    Ok(())
}

/// Loads a run inside a transaction.
pub(super) async fn select_run(connection: &mut Connection, id: &str) -> Result<Option<Run>> {
    let run = sqlx::query_as("SELECT * FROM workflow_runs WHERE id = ?1");
    Ok(run.bind(id).fetch_optional(connection).await?)
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
