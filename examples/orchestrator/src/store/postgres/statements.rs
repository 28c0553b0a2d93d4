//! Statements that several tables' operations share.

use super::transaction::Transaction;
use super::{json, text};
use crate::domain::{Approval, NewRun, Run, RunState, RunStatus};
use crate::store::rules::Change;
use crate::store::{Admission, Owner, Result};

/// The only statement that changes the status or the owner of one run.
const CHANGE: &str = "UPDATE workflow_runs SET status = $5, owner = $6, version = version + 1, \
    error_type = $7, error = $8, segment = coalesce($9, segment), \
    executed_ms = coalesce($10, executed_ms), waits = waits + $11, \
    started_at = coalesce(started_at, $12), resumed_at = $12, finished_at = $13 \
    WHERE id = $1 AND status = $2 AND version = $3 AND coalesce(owner, '') = $4 RETURNING *";
const INSERT_RUN: &str = "INSERT INTO workflow_runs (id, workflow, trigger, context, status, owner, \
    retry_of, trace_id, idempotency_key, idempotency_fingerprint, created_at) \
    VALUES ($1, $2, $3, $4::json, 'PENDING', $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING \
    RETURNING *";
/// Adds a run to an owner, which may have been deleted because its lease has expired.
const ADD_RUN: &str = "INSERT INTO owners VALUES ($1, $2, 1) \
    ON CONFLICT (id) DO UPDATE SET runs = owners.runs + 1 WHERE owners.runs < $3";

const LOCK_OWNERS: &str = "SELECT id FROM owners WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
const MOVE_RUN: &str = "UPDATE owners SET runs = runs + CASE id WHEN $2 THEN 1 ELSE -1 END \
    WHERE id = ANY($1)";

/// Changes a run from the state `before`, and the count of its former owner. Returns `None` if
/// another writer was first. The new owner has to [add the run](add_run).
pub(super) async fn change_run(
    transaction: &mut Transaction,
    before: &RunState,
    to: RunStatus,
    change: Change<'_>,
) -> Result<Option<Run>> {
    let owner = change.owner;
    let run = update_run(transaction, before, to, change).await?;
    if run.is_some() && before.owner.as_deref() != owner {
        remove_run(transaction, before).await?;
    }
    Ok(run)
}

/// Changes a run from the state `before`, without the counts of its owners.
pub(super) async fn update_run(
    transaction: &mut Transaction,
    before: &RunState,
    to: RunStatus,
    change: Change<'_>,
) -> Result<Option<Run>> {
    let now = transaction.now;
    let executed = change.executed();
    let (error_type, error) = change.failure.unzip();
    let update = sqlx::query_as(CHANGE)
        .bind(&before.id)
        .bind(before.status.as_str())
        .bind(before.version)
        .bind(before.owner.as_deref().unwrap_or_default())
        .bind(to.as_str())
        .bind(change.owner)
        .bind(error_type)
        .bind(error.map(text))
        .bind(change.segment)
        .bind(executed)
        .bind(i64::from(to == RunStatus::WaitingApproval))
        .bind((to == RunStatus::Running).then_some(now))
        .bind(to.is_terminal().then_some(now));
    Ok(update.fetch_optional(&mut **transaction).await?)
}

/// Counts one run less of an owner. The last statement of a transaction: the owner is locked until
/// the commit.
pub(super) async fn remove_run(transaction: &mut Transaction, before: &RunState) -> Result<()> {
    if let Some(owner) = &before.owner {
        let remove = sqlx::query("UPDATE owners SET runs = runs - 1 WHERE id = $1").bind(owner);
        remove.execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Inserts a run as PENDING. Returns `None` if its idempotency key is known. The owner has to
/// [add the run](add_run).
pub(super) async fn insert_run(
    transaction: &mut Transaction,
    run: &NewRun,
    owner: &Owner,
) -> Result<Option<Run>> {
    let (key, fingerprint) = run.idempotency.as_ref().map(|(key, print)| (key, print)).unzip();
    let now = transaction.now;
    let insert = sqlx::query_as(INSERT_RUN)
        .bind(&run.id)
        .bind(text(&run.workflow))
        .bind(run.trigger.as_str())
        .bind(json(&run.context)?)
        .bind(&owner.id)
        .bind(&run.retry_of)
        .bind(&run.trace_id)
        .bind(key.map(|key| text(key)))
        .bind(fingerprint.map(|fingerprint| text(fingerprint)))
        .bind(now);
    Ok(insert.fetch_optional(&mut **transaction).await?)
}

/// Counts one more run of an owner. Returns `false` if it has the maximum number of runs.
pub(super) async fn take_slot(
    transaction: &mut Transaction,
    admission: &Admission,
) -> Result<bool> {
    Ok(admission.max_runs > 0 && add_run(transaction, &admission.owner, admission.max_runs).await?)
}

/// Counts one more run of an owner, unless it has `max_runs`.
pub(super) async fn add_run(
    transaction: &mut Transaction,
    owner: &Owner,
    max_runs: u32,
) -> Result<bool> {
    let expires = transaction.now.after(owner.lease);
    let add = sqlx::query(ADD_RUN).bind(&owner.id).bind(expires).bind(i64::from(max_runs));
    Ok(add.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Counts one run less of an owner and one more of another one. Both are locked in the order of
/// their ids: processes claim each other's runs at the same time. The last statements of a
/// transaction.
pub(super) async fn move_run(
    transaction: &mut Transaction,
    from: Option<&str>,
    to: &Owner,
) -> Result<()> {
    if from == Some(&to.id) {
        return Ok(());
    }
    let both: Vec<&str> = from.into_iter().chain([&*to.id]).collect();
    let locked = sqlx::query_scalar(LOCK_OWNERS).bind(&both);
    let locked: Vec<String> = locked.fetch_all(&mut **transaction).await?;
    let moved = sqlx::query(MOVE_RUN).bind(&both).bind(&to.id);
    moved.execute(&mut **transaction).await?;
    // Deleted because its lease has expired.
    if !locked.contains(&to.id) {
        add_run(transaction, to, u32::MAX).await?;
    }
    Ok(())
}

/// Locks a run until the end of the transaction.
pub(super) async fn lock_run(transaction: &mut Transaction, id: &str) -> Result<Option<Run>> {
    let run = sqlx::query_as("SELECT * FROM workflow_runs WHERE id = $1 FOR NO KEY UPDATE");
    Ok(run.bind(text(id)).fetch_optional(&mut **transaction).await?)
}

/// Cancels the pending approvals of a run that ends.
pub(super) async fn cancel_pending_approvals(
    transaction: &mut Transaction,
    run: &str,
) -> Result<Vec<Approval>> {
    let now = transaction.now;
    let cancelled = sqlx::query_as(
        "UPDATE approvals SET decision = 'CANCELLED', decided_at = $2 \
         WHERE run_id = $1 AND decision = 'PENDING' RETURNING *",
    );
    Ok(cancelled.bind(run).bind(now).fetch_all(&mut **transaction).await?)
}
