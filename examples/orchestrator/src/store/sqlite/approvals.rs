//! Table of approvals. A decision updates the run in the same transaction.

use super::SqliteStore;
use super::page::{listed, page};
use super::statements::{Change, cancel_pending_approvals, change_run, insert_owner, select_run};
use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, RunState, RunStatus};
use crate::store::{
    ApprovalStore, Decided, Effect, Listed, MAX_PAGE_BYTES, Owner, Page, PendingApprovals,
    Resolution, Result, StoredDecision,
};
use async_trait::async_trait;

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
    let (to, failure) = match approval.decision {
        Decision::Approved => (RunStatus::Pending, None),
        Decision::Rejected => (RunStatus::Rejected, None),
        Decision::Expired => {
            (RunStatus::TimedOut, Some(("approval_expired", "the approval expired")))
        }
        Decision::Pending | Decision::Cancelled => (run.status, None),
    };
    if run.status != RunStatus::WaitingApproval {
        let in_flight = run.status == RunStatus::Running;
        let effect = if in_flight { Effect::InFlight(run) } else { Effect::Unchanged(run) };
        return Ok(StoredDecision { approval, effect, cancelled: Vec::new() });
    }
    let owner = owner.filter(|_| !to.is_terminal());
    if let Some(owner) = owner {
        insert_owner(connection, owner, Timestamp::now()).await?;
    }
    let owner = owner.map(|owner| owner.id.as_str());
    let change = Change { owner, failure, ..Change::default() };
    let changed = change_run(connection, &run.state(), to, change).await?;
    let run = changed.ok_or(sqlx::Error::RowNotFound)?;
    if !to.is_terminal() {
        return Ok(StoredDecision {
            approval,
            effect: Effect::Continued(run),
            cancelled: Vec::new(),
        });
    }
    let cancelled = cancel_pending_approvals(connection, &run.id).await?;
    Ok(StoredDecision { approval, effect: Effect::Ended(run), cancelled })
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
                    match known.decision {
                        Decision::Pending if known.expires_at > now => {}
                        // Expired, even if the expiry is not stored yet.
                        Decision::Pending | Decision::Expired => {
                            return Ok(Decided::Expired(known));
                        }
                        Decision::Approved | Decision::Rejected | Decision::Cancelled => {
                            return Ok(Decided::Already(known));
                        }
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

    async fn next_expiry(&self) -> Result<Option<Timestamp>> {
        // Not traced: a timer queries it, not a request.
        let due =
            sqlx::query_scalar("SELECT min(expires_at) FROM approvals WHERE decision = 'PENDING'");
        Ok(due.fetch_one(self.readers.untraced()).await?)
    }

    async fn backlog(&self) -> Result<Vec<PendingApprovals>> {
        let pending = sqlx::query_as(
            "SELECT workflow, count(*) AS pending, min(requested_at) AS oldest FROM approvals \
             WHERE decision = 'PENDING' GROUP BY workflow",
        );
        Ok(pending.fetch_all(self.readers.untraced()).await?)
    }
}
