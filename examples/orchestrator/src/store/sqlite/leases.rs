//! Table of owners: leases, and the runs of owners whose lease has expired.

use super::SqliteStore;
use super::statements::cancel_pending_approvals;
use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::Run;
use crate::store::{CrashLooped, Lease, LeaseStore, Owner, Recovered, Result};
use async_trait::async_trait;
use sqlx::types::Json;
use std::collections::HashSet;

const RENEW: &str =
    "INSERT INTO owners VALUES (?1, ?2, 0) ON CONFLICT (id) DO UPDATE SET expires_at = ?2";
const EXPIRE: &str = "DELETE FROM owners WHERE id <> ?1 AND expires_at <= ?2";
/// Runs in flight without a living owner.
/// Counts the runs in flight whose owner has no lease. The first list of states is the condition of
/// the index `workflow_runs_unfinished`, which SQLite uses only if the query repeats it.
const ORPHANED: &str = "SELECT count(*) FROM workflow_runs \
    WHERE status IN ('PENDING', 'RUNNING', 'WAITING_APPROVAL') \
    AND status IN ('PENDING', 'RUNNING') \
    AND (owner IS NULL OR owner NOT IN (SELECT id FROM owners))";
const COUNT_CRASHES: &str = "UPDATE workflow_runs SET crashes = crashes + 1, \
    crashes_alone = crashes_alone + (SELECT CASE count(*) WHEN 1 THEN 1 ELSE 0 END \
        FROM workflow_runs AS other \
        WHERE other.owner = workflow_runs.owner AND other.status = 'RUNNING') \
    WHERE status = 'RUNNING' AND owner NOT IN (SELECT id FROM owners)";
const FAIL_CRASH_LOOPS: &str = "UPDATE workflow_runs SET status = 'FAILED', owner = NULL, \
    version = version + 1, resumed_at = NULL, finished_at = ?2, error_type = 'crash_loop', \
    error = 'the process crashed ' || crashes || ' times during this run' \
    WHERE status = 'RUNNING' AND crashes_alone >= ?1 AND owner NOT IN (SELECT id FROM owners) RETURNING *";
const TAKE_OVER: &str = "UPDATE workflow_runs SET status = 'PENDING', owner = ?1, \
    version = version + 1, resumed_at = NULL WHERE status IN ('PENDING', 'RUNNING') \
    AND (owner IS NULL OR owner NOT IN (SELECT id FROM owners)) RETURNING *";

async fn renew(connection: &mut Connection, owner: &Owner, now: Timestamp) -> Result<()> {
    let renew = sqlx::query(RENEW).bind(&owner.id).bind(now.after(owner.lease));
    renew.execute(connection).await?;
    Ok(())
}

async fn take_over(
    connection: &mut Connection,
    owner: &Owner,
    crash_limit: u32,
) -> Result<Recovered> {
    let now = Timestamp::now();
    renew(connection, owner, now).await?;
    sqlx::query(EXPIRE).bind(&owner.id).bind(now).execute(&mut *connection).await?;
    let orphaned: i64 = sqlx::query_scalar(ORPHANED).fetch_one(&mut *connection).await?;
    if orphaned == 0 {
        return Ok(Recovered::default());
    }
    sqlx::query(COUNT_CRASHES).execute(&mut *connection).await?;
    let fail = sqlx::query_as(FAIL_CRASH_LOOPS).bind(crash_limit).bind(now);
    let failed: Vec<Run> = fail.fetch_all(&mut *connection).await?;
    let mut crash_looped = Vec::with_capacity(failed.len());
    for run in failed {
        let cancelled = cancel_pending_approvals(connection, &run.id).await?;
        crash_looped.push(CrashLooped { run, cancelled });
    }
    let take = sqlx::query_as(TAKE_OVER).bind(&owner.id);
    let mut runs: Vec<Run> = take.fetch_all(&mut *connection).await?;
    runs.sort_by(|one, other| one.id.cmp(&other.id));
    let count = sqlx::query("UPDATE owners SET runs = runs + ?2 WHERE id = ?1");
    let taken = i64::try_from(runs.len()).unwrap_or(i64::MAX);
    count.bind(&owner.id).bind(taken).execute(connection).await?;
    Ok(Recovered { runs, crash_looped })
}

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn renew(&self, owner: &Owner) -> Result<()> {
        self.writer
            .write_untraced(owner.clone(), |connection, owner| {
                Box::pin(renew(connection, owner, Timestamp::now()))
            })
            .await
    }

    async fn take_over(&self, owner: &Owner, crash_limit: u32) -> Result<Recovered> {
        self.writer
            .write_untraced((owner.clone(), crash_limit), |connection, (owner, crash_limit)| {
                Box::pin(take_over(connection, owner, *crash_limit))
            })
            .await
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        let leases = sqlx::query_as("SELECT id, expires_at <= ?1 AS expired FROM owners");
        Ok(leases.bind(Timestamp::now()).fetch_all(self.readers.untraced()).await?)
    }

    async fn expire_leases(&self, owners: &[String]) -> Result<()> {
        self.writer
            .write_untraced(owners.to_vec(), |connection, owners| {
                Box::pin(async move {
                    let expire = "UPDATE owners SET expires_at = 0 \
                        WHERE id IN (SELECT value FROM json_each(?1))";
                    sqlx::query(expire).bind(Json(owners)).execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn owned(&self, owner: &str) -> Result<HashSet<String>> {
        let owned = sqlx::query_scalar("SELECT id FROM workflow_runs WHERE owner = ?1");
        let owned = owned.bind(owner).fetch_all(self.readers.untraced()).await?;
        Ok(owned.into_iter().collect())
    }

    async fn release(&self, owner: &str) -> Result<()> {
        self.writer
            .write_untraced(owner.to_owned(), |connection, owner| {
                Box::pin(async move {
                    let release = "UPDATE workflow_runs SET status = 'PENDING', owner = NULL, \
                        version = version + 1, resumed_at = NULL \
                        WHERE owner = ?1 AND status IN ('PENDING', 'RUNNING')";
                    sqlx::query(release).bind(owner).execute(&mut *connection).await?;
                    let end = sqlx::query("DELETE FROM owners WHERE id = ?1").bind(owner);
                    end.execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_without_a_living_owner_are_found_by_an_index() {
        let store = SqliteStore::open(":memory:").await.unwrap();
        let plan = store.query_plan(ORPHANED).await;
        let is_search = |step: &String| step.contains("USING INDEX workflow_runs_unfinished");
        assert!(plan.iter().any(is_search), "{plan:?}");
        assert!(!plan.iter().any(|step| step == "SCAN workflow_runs"), "{plan:?}");
    }
}
