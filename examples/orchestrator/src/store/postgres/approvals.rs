//! Table of approvals. A decision updates the run in the same transaction.

use super::statements::{add_run, cancel_pending_approvals, change_run};
use super::transaction::Transaction;
use super::{PostgresStore, json, text};
use crate::domain::{Approval, Decision, Run, RunState};
use crate::store::page::{listed, page};
use crate::store::rules::{Change, continuation, decided, undecidable};
use crate::store::{
    ApprovalStore, Decided, Listed, MAX_PAGE_BYTES, Owner, Page, Resolution, Result, StoredBacklog,
    StoredDecision,
};
use async_trait::async_trait;
use std::time::Duration;

/// Inserts an approval of an owned RUNNING run, once per node. The lock delays the end of the run
/// until the commit.
const INSERT: &str = "INSERT INTO approvals (id, run_id, workflow, node_id, agent, action, input, \
    decision, requested_at, expires_at) \
    SELECT $4, id, $5, $6, $7, $8, $9::json, 'PENDING', $10, $11 \
    FROM workflow_runs WHERE id = $1 AND status = 'RUNNING' AND version = $2 AND owner = $3 \
    FOR SHARE ON CONFLICT DO NOTHING RETURNING *";
/// Selects the approvals to expire, a limited number per call.
const DUE: &str = "SELECT id FROM approvals WHERE decision = 'PENDING' \
    AND expires_at <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint ORDER BY id LIMIT 500";
const NEXT: &str = "SELECT min(expires_at) - (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
    FROM approvals WHERE decision = 'PENDING'";
const LOCK_RUN: &str = "SELECT * FROM workflow_runs WHERE id = \
    (SELECT run_id FROM approvals WHERE id = $1) FOR NO KEY UPDATE";
/// Decides a pending approval.
const DECIDE: &str = "UPDATE approvals SET decision = $2, decided_at = $3, responded_by = $4, \
    notes = $5 WHERE id = $1 AND decision = 'PENDING' RETURNING *";

/// Applies a decision to a run that waits for it. A run in flight is notified by the engine.
async fn apply_decision(
    transaction: &mut Transaction,
    approval: Approval,
    run: Run,
    owner: Option<&Owner>,
) -> Result<StoredDecision> {
    let (run, next) = match continuation(approval.decision, run, owner) {
        Ok(next) => next,
        Err(effect) => return Ok(StoredDecision { approval, effect, cancelled: Vec::new() }),
    };
    let owner = next.owner.map(|owner| owner.id.as_str());
    let change = Change { owner, failure: next.failure, ..Change::default() };
    let run = change_run(transaction, &run.state(), next.to, change).await?;
    // `None` is impossible: the run is locked.
    let run = run.ok_or(sqlx::Error::RowNotFound)?;
    let cancelled = match run.status.is_terminal() {
        true => cancel_pending_approvals(transaction, &run.id).await?,
        false => Vec::new(),
    };
    if let Some(owner) = next.owner {
        add_run(transaction, owner, u32::MAX).await?;
    }
    Ok(decided(approval, run, cancelled))
}

/// Decides an approval of a locked run. Returns `None` if it is decided already.
async fn decide(
    transaction: &mut Transaction,
    id: &str,
    decision: Decision,
    response: Option<&Resolution>,
) -> Result<Option<Approval>> {
    let now = transaction.now;
    let decide = sqlx::query_as(DECIDE)
        .bind(text(id))
        .bind(decision.as_str())
        .bind(now)
        .bind(response.map(|it| text(&it.responded_by)))
        .bind(response.and_then(|it| it.notes.as_deref()).map(text));
    Ok(decide.fetch_optional(&mut **transaction).await?)
}

#[async_trait]
impl ApprovalStore for PostgresStore {
    async fn request_approval(
        &self,
        run: RunState,
        approval: Approval,
    ) -> Result<Option<Approval>> {
        self.write("INSERT INTO approvals", (run, approval), |transaction, (run, approval)| {
            Box::pin(async move {
                // The same duration by the clock of the database.
                let now = transaction.now;
                let duration = approval.expires_at.since(approval.requested_at);
                let inserted = sqlx::query_as(INSERT)
                    .bind(&run.id)
                    .bind(run.version)
                    .bind(&run.owner)
                    .bind(&approval.id)
                    .bind(&approval.workflow)
                    .bind(&approval.node_id)
                    .bind(&approval.agent)
                    .bind(&approval.action)
                    .bind(json(&approval.input)?)
                    .bind(now)
                    .bind(now.after(duration))
                    .fetch_optional(&mut **transaction)
                    .await?;
                if inserted.is_some() {
                    return Ok(inserted);
                }
                let known =
                    sqlx::query_as("SELECT * FROM approvals WHERE run_id = $1 AND node_id = $2");
                let known = known.bind(&approval.run_id).bind(&approval.node_id);
                Ok(known.fetch_optional(&mut **transaction).await?)
            })
        })
        .await
    }

    async fn approvals(&self, decision: Option<Decision>, page: Page) -> Result<Listed<Approval>> {
        let rows = sqlx::query(page!(
            "approvals",
            "($1 IS NULL OR decision = $1) AND ($2 IS NULL OR id < $2)",
            "id DESC",
            "octet_length(input::text)",
            "$3",
            "$4"
        ));
        let rows = rows.bind(decision.map(Decision::as_str)).bind(page.after.as_deref().map(text));
        let rows = rows.bind(i64::from(page.limit)).bind(i64::from(MAX_PAGE_BYTES));
        listed(&self.read(rows.fetch_all(&self.db)).await?, "id")
    }

    async fn approvals_of(&self, run: &str) -> Result<Vec<Approval>> {
        let found = sqlx::query_as("SELECT * FROM approvals WHERE run_id = $1 ORDER BY id");
        self.read(found.bind(text(run)).fetch_all(&self.db)).await
    }

    async fn decide(
        &self,
        id: &str,
        resolution: Resolution,
        owner: Option<Owner>,
    ) -> Result<Decided> {
        let arguments = (id.to_owned(), resolution, owner);
        self.write("UPDATE approvals", arguments, |transaction, (id, resolution, owner)| {
            Box::pin(async move {
                let run = sqlx::query_as(LOCK_RUN).bind(text(id));
                let Some(run) = run.fetch_optional(&mut **transaction).await? else {
                    return Ok(Decided::Unknown);
                };
                // Read after the lock: another decision may have been waited for.
                let known = sqlx::query_as("SELECT * FROM approvals WHERE id = $1").bind(text(id));
                let known: Approval = known.fetch_one(&mut **transaction).await?;
                if let Some(refused) = undecidable(&known, transaction.now) {
                    return Ok(refused);
                }
                let decision = resolution.decision;
                let approval = decide(transaction, id, decision, Some(resolution)).await?;
                // `None` is impossible: the run is locked.
                let approval = approval.ok_or(sqlx::Error::RowNotFound)?;
                let applied = apply_decision(transaction, approval, run, owner.as_ref());
                applied.await.map(Decided::Now)
            })
        })
        .await
    }

    async fn expire(&self) -> Result<Vec<StoredDecision>> {
        let due = sqlx::query_scalar(DUE).fetch_all(self.db.untraced());
        let due: Vec<String> = self.read(due).await?;
        let mut expired = Vec::with_capacity(due.len());
        for id in due {
            let expire = self.write("UPDATE approvals", id, |transaction, id| {
                Box::pin(async move {
                    let run = sqlx::query_as(LOCK_RUN).bind(id);
                    let run = run.fetch_optional(&mut **transaction).await?;
                    let Some(run) = run else { return Ok(None) };
                    // `None` if it was decided, or cancelled by the expiry of another approval.
                    match decide(transaction, id, Decision::Expired, None).await? {
                        Some(approval) => {
                            apply_decision(transaction, approval, run, None).await.map(Some)
                        }
                        None => Ok(None),
                    }
                })
            });
            match expire.await {
                Ok(decision) => expired.extend(decision),
                Err(error) if expired.is_empty() => return Err(error),
                // The caller counts the stored ones. The others are due at the next call.
                Err(error) => {
                    tracing::warn!(%error, "cannot expire an approval");
                    break;
                }
            }
        }
        Ok(expired)
    }

    async fn next_expiry(&self) -> Result<Option<Duration>> {
        // Not traced: a timer queries it, not a request.
        let pause = sqlx::query_scalar(NEXT).fetch_one(self.db.untraced());
        let pause: Option<i64> = self.read(pause).await?;
        Ok(pause.map(|pause| Duration::from_millis(u64::try_from(pause).unwrap_or(0))))
    }

    async fn approval_backlog(&self) -> Result<Vec<StoredBacklog>> {
        let pending = sqlx::query_as(
            "SELECT workflow, count(*) AS pending, min(requested_at) AS oldest FROM approvals \
             WHERE decision = 'PENDING' GROUP BY workflow",
        );
        self.read(pending.fetch_all(self.db.untraced())).await
    }
}
