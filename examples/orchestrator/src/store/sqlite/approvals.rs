//! Table of approvals. A decision updates the run in the same transaction.

use super::SqliteStore;
use super::statements::{cancel_pending_approvals, end_run, select_run};
use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Run, RunStatus};
use crate::store::{ApprovalStore, Decided, Page, PendingApprovals, Resolution, Result};
use async_trait::async_trait;

/// Inserts an approval of a RUNNING run, once per node.
const INSERT: &str = "INSERT INTO approvals (id, run_id, workflow, node_id, agent, action, input, \
    decision, requested_at, expires_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'PENDING', ?8, ?9 \
    WHERE EXISTS (SELECT 1 FROM workflow_runs WHERE id = ?2 AND status = 'RUNNING') \
    ON CONFLICT DO NOTHING RETURNING *";
/// Selects the approvals to expire, a limited number per transaction.
const DUE: &str = "SELECT id FROM approvals WHERE decision = 'PENDING' AND expires_at <= ?1 \
    ORDER BY id LIMIT 500";
/// Decides a pending approval.
const DECIDE: &str = "UPDATE approvals SET decision = ?2, decided_at = ?3, responded_by = ?4, notes = ?5 \
                      WHERE id = ?1 AND decision = 'PENDING' RETURNING *";

/// Applies a decision to a run that waits for it. A run in flight is notified by the engine.
async fn update_run(
    connection: &mut Connection,
    approval: &Approval,
) -> Result<(Run, Vec<Approval>)> {
    let id = approval.run_id.as_str();
    let from = RunStatus::WaitingApproval;
    let ended = match approval.decision {
        Decision::Approved => {
            sqlx::query(
                "UPDATE workflow_runs SET status = 'PENDING' WHERE id = ?1 AND status = ?2",
            )
            .bind(id)
            .bind(from)
            .execute(&mut *connection)
            .await?;
            false
        }
        Decision::Expired => {
            let failure = ("approval_expired", "the approval expired");
            end_run(connection, id, from, RunStatus::TimedOut, Some(failure)).await?
        }
        Decision::Rejected => end_run(connection, id, from, RunStatus::Rejected, None).await?,
        Decision::Pending | Decision::Cancelled => false,
    };
    let others = if ended { cancel_pending_approvals(connection, id).await? } else { Vec::new() };
    // A foreign key guarantees that the run exists.
    let run = select_run(connection, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok((run, others))
}

#[async_trait]
impl ApprovalStore for SqliteStore {
    async fn request_approval(&self, approval: Approval) -> Result<Option<Approval>> {
        self.writer
            .write("INSERT INTO approvals", approval, |connection, approval| {
                Box::pin(async move {
                    let inserted = sqlx::query_as(INSERT)
                        .bind(&approval.id)
                        .bind(&approval.run_id)
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

    async fn approvals(&self, decision: Option<Decision>, page: Page) -> Result<Vec<Approval>> {
        Ok(sqlx::query_as(
            "SELECT * FROM approvals WHERE ?1 IS NULL OR decision = ?1 ORDER BY id DESC LIMIT ?2 OFFSET ?3",
        )
        .bind(decision)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.readers)
        .await?)
    }

    async fn approvals_of(&self, run: &str) -> Result<Vec<Approval>> {
        let found = sqlx::query_as("SELECT * FROM approvals WHERE run_id = ?1 ORDER BY id");
        Ok(found.bind(run).fetch_all(&self.readers).await?)
    }

    async fn decide(&self, id: &str, resolution: Resolution) -> Result<(Decided, Vec<Approval>)> {
        self.writer
            .write(
                "UPDATE approvals",
                (id.to_owned(), resolution),
                |connection, (id, resolution)| {
                    Box::pin(async move {
                        let known =
                            sqlx::query_as("SELECT * FROM approvals WHERE id = ?1").bind(id);
                        let known: Option<Approval> =
                            known.fetch_optional(&mut *connection).await?;
                        let Some(known) = known else { return Ok((Decided::Unknown, Vec::new())) };
                        let now = Timestamp::now();
                        match known.decision {
                            Decision::Pending if known.expires_at > now => {}
                            // Expired, even if the expiry is not stored yet.
                            Decision::Pending | Decision::Expired => {
                                return Ok((Decided::Expired(known), Vec::new()));
                            }
                            Decision::Approved | Decision::Rejected | Decision::Cancelled => {
                                return Ok((Decided::Already(known), Vec::new()));
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
                        let (run, others) = update_run(connection, &approval).await?;
                        Ok((Decided::Now(approval, run), others))
                    })
                },
            )
            .await
    }

    async fn expire(&self) -> Result<Vec<(Approval, Run)>> {
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
                            let (run, others) = update_run(connection, &approval).await?;
                            expired.push((approval, run.clone()));
                            expired.extend(others.into_iter().map(|other| (other, run.clone())));
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
