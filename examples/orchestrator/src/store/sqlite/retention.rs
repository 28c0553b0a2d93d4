//! Deletion of ended runs and old incidents.

use super::writer::Connection;
use crate::clock::Timestamp;
use crate::store::Result;

/// The statements select the same runs, because the runs are deleted last.
const RESULTS: &str = "DELETE FROM node_results WHERE run_id IN (SELECT id FROM workflow_runs \
    WHERE finished_at < ?1 ORDER BY finished_at, id LIMIT ?2)";
const APPROVALS: &str = "DELETE FROM approvals WHERE run_id IN (SELECT id FROM workflow_runs \
    WHERE finished_at < ?1 ORDER BY finished_at, id LIMIT ?2)";
/// Only a run with a terminal status has `finished_at`.
const RUNS: &str = "DELETE FROM workflow_runs WHERE id IN (SELECT id FROM workflow_runs \
    WHERE finished_at < ?1 ORDER BY finished_at, id LIMIT ?2)";
/// An incident that still fires starts a run at least once per reminder, so it is not this old.
const INCIDENTS: &str = "DELETE FROM incidents WHERE fingerprint IN (SELECT fingerprint \
    FROM incidents WHERE last_run_at < ?1 LIMIT ?2)";

pub(super) async fn delete_ended(
    connection: &mut Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64> {
    for children in [RESULTS, APPROVALS] {
        sqlx::query(children).bind(before).bind(limit).execute(&mut *connection).await?;
    }
    let mut deleted = 0;
    for rows in [RUNS, INCIDENTS] {
        let done = sqlx::query(rows).bind(before).bind(limit).execute(&mut *connection).await?;
        deleted += done.rows_affected();
    }
    Ok(deleted)
}
