//! Deletion of ended runs and old incidents.

use super::transaction::Transaction;
use crate::clock::Timestamp;
use crate::store::Result;

/// Selects runs that no other process deletes. Only a run with a terminal status has `finished_at`.
const ENDED: &str = "SELECT id FROM workflow_runs WHERE finished_at < $1 \
    ORDER BY finished_at, id LIMIT $2 FOR UPDATE SKIP LOCKED";
const RESULTS: &str = "DELETE FROM node_results WHERE run_id = ANY($1)";
const APPROVALS: &str = "DELETE FROM approvals WHERE run_id = ANY($1)";
const RUNS: &str = "DELETE FROM workflow_runs WHERE id = ANY($1)";
/// An incident that still fires starts a run at least once per reminder, so it is not this old.
const INCIDENTS: &str = "DELETE FROM incidents WHERE fingerprint IN (SELECT fingerprint \
    FROM incidents WHERE last_run_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

pub(super) async fn delete_ended(
    transaction: &mut Transaction,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let ended = sqlx::query_scalar(ENDED).bind(before).bind(i64::from(limit));
    let ended: Vec<String> = ended.fetch_all(&mut **transaction).await?;
    let mut deleted = 0;
    for rows in [RESULTS, APPROVALS, RUNS] {
        // The number of the last ones, the runs.
        let done = sqlx::query(rows).bind(&ended).execute(&mut **transaction).await?;
        deleted = done.rows_affected();
    }
    let incidents = sqlx::query(INCIDENTS).bind(before).bind(i64::from(limit));
    Ok(deleted + incidents.execute(&mut **transaction).await?.rows_affected())
}
