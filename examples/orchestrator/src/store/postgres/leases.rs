//! Table of owners: leases, and the runs of owners whose lease has expired.

use super::PostgresStore;
use super::statements::cancel_pending_approvals;
use super::transaction::Transaction;
use crate::domain::Run;
use crate::store::{CrashLooped, Lease, LeaseStore, Owner, Recovered, Result};
use async_trait::async_trait;
use std::collections::HashSet;

const RENEW: &str = "INSERT INTO owners VALUES ($1, $2, 0) \
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at";
/// Locks the owners whose lease has expired. Those that another process takes over are skipped.
const EXPIRED: &str =
    "SELECT id FROM owners WHERE id <> $1 AND expires_at <= $2 FOR UPDATE SKIP LOCKED";
/// Locks the runs in flight without a living owner. A run that its owner changes at this moment is
/// skipped: it is taken over by the next renewal, or has ended.
const ORPHANED: &str = "SELECT id FROM workflow_runs WHERE owner = ANY($1) \
    AND status IN ('PENDING', 'RUNNING') FOR NO KEY UPDATE SKIP LOCKED";
const UNOWNED: &str = "SELECT id FROM workflow_runs WHERE owner IS NULL AND status = 'PENDING' \
    FOR NO KEY UPDATE SKIP LOCKED";
const COUNT_CRASHES: &str = "UPDATE workflow_runs SET crashes = crashes + 1, \
    crashes_alone = crashes_alone + (SELECT CASE count(*) WHEN 1 THEN 1 ELSE 0 END \
        FROM workflow_runs AS other \
        WHERE other.owner = workflow_runs.owner AND other.status = 'RUNNING') \
    WHERE id = ANY($1) AND status = 'RUNNING'";
const FAIL_CRASH_LOOPS: &str = "UPDATE workflow_runs SET status = 'FAILED', owner = NULL, \
    version = version + 1, resumed_at = NULL, finished_at = $3, error_type = 'crash_loop', \
    error = 'the process crashed ' || crashes || ' times during this run' \
    WHERE id = ANY($1) AND status = 'RUNNING' AND crashes_alone >= $2 RETURNING *";
const TAKE_OVER: &str = "UPDATE workflow_runs SET status = 'PENDING', owner = $2, \
    version = version + 1, resumed_at = NULL \
    WHERE id = ANY($1) AND status IN ('PENDING', 'RUNNING') RETURNING *";
/// Counts the runs of owners that are locked. A transaction that has changed one of their runs and
/// not the count yet waits for the lock, and corrects the count afterwards.
const COUNT_RUNS: &str = "UPDATE owners SET runs = (SELECT count(*) FROM workflow_runs \
    WHERE owner = owners.id) WHERE id = ANY($1)";
const DELETE_OWNERS: &str = "DELETE FROM owners WHERE id = ANY($1) AND runs = 0";
const LOCK_OWNER: &str = "SELECT id FROM owners WHERE id = $1 FOR UPDATE";
const RELEASE: &str = "UPDATE workflow_runs SET status = 'PENDING', owner = NULL, \
    version = version + 1, resumed_at = NULL \
    WHERE owner = $1 AND status IN ('PENDING', 'RUNNING')";
const END_LEASE: &str = "UPDATE owners SET expires_at = 0 WHERE id = $1";

async fn renew(transaction: &mut Transaction, owner: &Owner) -> Result<()> {
    let expires = transaction.now.after(owner.lease);
    sqlx::query(RENEW).bind(&owner.id).bind(expires).execute(&mut **transaction).await?;
    Ok(())
}

async fn take_over(
    transaction: &mut Transaction,
    owner: &Owner,
    crash_limit: u32,
) -> Result<Recovered> {
    let now = transaction.now;
    renew(transaction, owner).await?;
    let expired = sqlx::query_scalar(EXPIRED).bind(&owner.id).bind(now);
    let expired: Vec<String> = expired.fetch_all(&mut **transaction).await?;
    let unowned = sqlx::query_scalar(UNOWNED).fetch_all(&mut **transaction);
    let mut found: Vec<String> = unowned.await?;
    if !expired.is_empty() {
        let orphaned = sqlx::query_scalar(ORPHANED).bind(&expired);
        found.extend(orphaned.fetch_all(&mut **transaction).await?);
    }
    let recovered = recover(transaction, owner, crash_limit, &found).await?;
    if !found.is_empty() || !expired.is_empty() {
        let changed = [expired.clone(), vec![owner.id.clone()]].concat();
        sqlx::query(COUNT_RUNS).bind(changed).execute(&mut **transaction).await?;
        sqlx::query(DELETE_OWNERS).bind(expired).execute(&mut **transaction).await?;
    }
    Ok(recovered)
}

/// Gives locked runs to a new owner.
async fn recover(
    transaction: &mut Transaction,
    owner: &Owner,
    crash_limit: u32,
    found: &[String],
) -> Result<Recovered> {
    if found.is_empty() {
        return Ok(Recovered::default());
    }
    let now = transaction.now;
    sqlx::query(COUNT_CRASHES).bind(found).execute(&mut **transaction).await?;
    let fail = sqlx::query_as(FAIL_CRASH_LOOPS).bind(found).bind(i64::from(crash_limit)).bind(now);
    let failed: Vec<Run> = fail.fetch_all(&mut **transaction).await?;
    let mut crash_looped = Vec::with_capacity(failed.len());
    for run in failed {
        let cancelled = cancel_pending_approvals(transaction, &run.id).await?;
        crash_looped.push(CrashLooped { run, cancelled });
    }
    let take = sqlx::query_as(TAKE_OVER).bind(found).bind(&owner.id);
    let mut runs: Vec<Run> = take.fetch_all(&mut **transaction).await?;
    runs.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Recovered { runs, crash_looped })
}

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn renew(&self, owner: &Owner) -> Result<()> {
        self.write_untraced(owner.clone(), |transaction, owner| Box::pin(renew(transaction, owner)))
            .await
    }

    async fn take_over(&self, owner: &Owner, crash_limit: u32) -> Result<Recovered> {
        self.write_untraced((owner.clone(), crash_limit), |transaction, (owner, crash_limit)| {
            Box::pin(take_over(transaction, owner, *crash_limit))
        })
        .await
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        let leases = sqlx::query_as(
            "SELECT id, expires_at <= extract(epoch FROM clock_timestamp()) * 1000 AS expired \
             FROM owners",
        );
        self.read(leases.fetch_all(self.db.untraced())).await
    }

    async fn expire_leases(&self, owners: &[String]) -> Result<()> {
        self.write_untraced(owners.to_vec(), |transaction, owners| {
            Box::pin(async move {
                let expire = sqlx::query("UPDATE owners SET expires_at = 0 WHERE id = ANY($1)");
                expire.bind(owners).execute(&mut **transaction).await?;
                Ok(())
            })
        })
        .await
    }

    async fn owned(&self, owner: &str) -> Result<HashSet<String>> {
        let owned = sqlx::query_scalar("SELECT id FROM workflow_runs WHERE owner = $1");
        let owned = self.read(owned.bind(owner).fetch_all(self.db.untraced())).await?;
        Ok(owned.into_iter().collect())
    }

    async fn release(&self, owner: &str) -> Result<()> {
        self.write_untraced(owner.to_owned(), |transaction, owner| {
            Box::pin(async move {
                for statement in [RELEASE, LOCK_OWNER, END_LEASE] {
                    sqlx::query(statement).bind(owner).execute(&mut **transaction).await?;
                }
                // A run that was created in between keeps the row, and is taken over.
                for statement in [COUNT_RUNS, DELETE_OWNERS] {
                    let owners = sqlx::query(statement).bind(vec![owner.clone()]);
                    owners.execute(&mut **transaction).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
