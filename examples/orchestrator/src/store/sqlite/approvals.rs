//! Table of approvals. A decision updates the run in the same transaction.

use super::SqliteStore;
use super::statements::{cancel_pending_approvals, change_run, insert_owner, select_run};
use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, RunState};
use crate::store::page::{listed, page};
use crate::store::rules::{Change, continuation, decided, undecidable};
use crate::store::{
    ApprovalStore, Decided, Listed, MAX_PAGE_BYTES, Owner, Page, Resolution, Result, StoredBacklog,
    StoredDecision,
};
use async_trait::async_trait;
use std::time::Duration;

/// Inserts an approval of an owned RUNNING run, once per node.
const INSERT: &str = "INSERT INTO approvals (id, run_id, workflow, node_id, agent, action, input, \
    decision, requested_at, expires_at) SELECT ?4, id, ?5, ?6, ?7, ?8, ?9, 'PENDING', ?10, ?11 \
    FROM workflow_runs WHERE id = ?1 AND status = 'RUNNING' AND version = ?2 AND owner = ?3 \
    ON CONFLICT DO NOTHING RETURNING *";
/// Selects the approvals to expire, a limited number per transaction.
const DUE: &str = "SELECT id FROM approvals WHERE decision = 'PENDING' AND expires_at <= ?1 \
    ORDER BY id LIMIT 500";
/// Decides a pending approval.
const DECIDE: &str = "UPDATE approvals SET decision = ?2, decided_at = ?3, responded_by = ?4, notes = ?5 \
                      WHERE id = ?1 AND decision = 'PENDING' RETURNING *";

/// Applies a decision to a run that waits for it. A run in flight is notified by the engine.
async fn apply_decision(
    connection: &mut Connection,
    approval: Approval,
    owner: Option<&Owner>,
) -> Result<StoredDecision> {
    let run = select_run(connection, &approval.run_id).await?;
    // A foreign key guarantees that the run exists.
    let run = run.ok_or(sqlx::Error::RowNotFound)?;
    let (run, next) = match continuation(approval.decision, run, owner) {
        Ok(next) => next,
        Err(effect) => return Ok(StoredDecision { approval, effect, cancelled: Vec::new() }),
    };
    if let Some(owner) = next.owner {
        insert_owner(connection, owner, Timestamp::now()).await?;
    }
    let owner = next.owner.map(|owner| owner.id.as_str());
    let change = Change { owner, failure: next.failure, ..Change::default() };
    let changed = change_run(connection, &run.state(), next.to, change).await?;
    let run = changed.ok_or(sqlx::Error::RowNotFound)?;
    let cancelled = match run.status.is_terminal() {
        true => cancel_pending_approvals(connection, &run.id).await?,
        false => Vec::new(),
    };
    Ok(decided(approval, run, cancelled))
}

#[async_trait]
impl ApprovalStore for SqliteStore {
    async fn request_approval(
        &self,
        run: RunState,
        approval: Approval,
    ) -> Result<Option<Approval>> {
        self.writer
            .write("INSERT INTO approvals", (run, approval), |connection, (run, approval)| {
                Box::pin(async move {
                    let inserted = sqlx::query_as(INSERT)
                        .bind(&run.id)
                        .bind(run.version)
                        .bind(&run.owner)
                        .bind(&approval.id)
                        .bind(&approval.workflow)
                        .bind(&approval.node_id)
                        .bind(&approval.agent)
                        .bind(&approval.action)
                        .bind(&approval.input)
                        .bind(approval.requested_at)
                        .bind(approval.expires_at)
                        .fetch_optional(&mut *connection)
                        .await?;
                    if inserted.is_some() {
                        return Ok(inserted);
                    }
                    let known = sqlx::query_as(
                        "SELECT * FROM approvals WHERE run_id = ?1 AND node_id = ?2",
                    );
                    let known = known.bind(&approval.run_id).bind(&approval.node_id);
                    Ok(known.fetch_optional(connection).await?)
                })
            })
            .await
    }

    async fn approvals(&self, decision: Option<Decision>, page: Page) -> Result<Listed<Approval>> {
        let rows = sqlx::query(page!(
            "approvals",
            "(?1 IS NULL OR decision = ?1) AND (?2 IS NULL OR id < ?2)",
            "id DESC",
            "octet_length(input)",
            "?3",
            "?4"
        ));
        let rows = rows.bind(decision).bind(page.after).bind(page.limit).bind(MAX_PAGE_BYTES);
        listed(&rows.fetch_all(&self.readers).await?, "id")
    }

    async fn approvals_of(&self, run: &str) -> Result<Vec<Approval>> {
        let found = sqlx::query_as("SELECT * FROM approvals WHERE run_id = ?1 ORDER BY id");
        Ok(found.bind(run).fetch_all(&self.readers).await?)
    }

    async fn decide(
        &self,
        id: &str,
        resolution: Resolution,
        owner: Option<Owner>,
    ) -> Result<Decided> {
        let arguments = (id.to_owned(), resolution, owner);
        self.writer
            .write("UPDATE approvals", arguments, |connection, (id, resolution, owner)| {
                Box::pin(async move {
                    let known = sqlx::query_as("SELECT * FROM approvals WHERE id = ?1").bind(id);
                    let known: Option<Approval> = known.fetch_optional(&mut *connection).await?;
                    let Some(known) = known else { return Ok(Decided::Unknown) };
                    let now = Timestamp::now();
                    if let Some(refused) = undecidable(&known, now) {
                        return Ok(refused);
                    }
                    let approval = sqlx::query_as(DECIDE)
                        .bind(id)
                        .bind(resolution.decision)
                        .bind(now)
                        .bind(&resolution.responded_by)
                        .bind(&resolution.notes)
                        .fetch_one(&mut *connection)
                        .await?;
                    apply_decision(connection, approval, owner.as_ref()).await.map(Decided::Now)
                })
            })
            .await
    }

    async fn expire(&self) -> Result<Vec<StoredDecision>> {
        self.writer
            .write("UPDATE approvals", (), |connection, ()| {
                Box::pin(async move {
                    let now = Timestamp::now();
                    let due: Vec<String> =
                        sqlx::query_scalar(DUE).bind(now).fetch_all(&mut *connection).await?;
                    let mut expired = Vec::with_capacity(due.len());
                    for id in due {
                        let expire = sqlx::query_as(DECIDE).bind(id).bind(Decision::Expired);
                        let expire = expire.bind(now).bind(None::<String>).bind(None::<String>);
                        // `None` if the expiry of the run's first approval cancelled it.
                        if let Some(approval) = expire.fetch_optional(&mut *connection).await? {
                            expired.push(apply_decision(connection, approval, None).await?);
                        }
                    }
                    Ok(expired)
                })
            })
            .await
    }

    async fn next_expiry(&self) -> Result<Option<Duration>> {
        // Not traced: a timer queries it, not a request.
        let due =
            sqlx::query_scalar("SELECT min(expires_at) FROM approvals WHERE decision = 'PENDING'");
        let due: Option<Timestamp> = due.fetch_one(self.readers.untraced()).await?;
        Ok(due.map(|due| due.since(Timestamp::now())))
    }

    async fn approval_backlog(&self) -> Result<Vec<StoredBacklog>> {
        let pending = sqlx::query_as(
            "SELECT workflow, count(*) AS pending, min(requested_at) AS oldest FROM approvals \
             WHERE decision = 'PENDING' GROUP BY workflow",
        );
        Ok(pending.fetch_all(self.readers.untraced()).await?)
    }
}
