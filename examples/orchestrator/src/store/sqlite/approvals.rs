//! The table of approvals. Deciding one moves its run in the same transaction.

use super::rows::{self, approval_columns};
use super::{Connection, SqliteStore, corrupt, runs};
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, Run, RunStatus};
use crate::store::{Answer, Decided, Page, Result, StoreError, Waiting};
use sqlx::Row;
use std::sync::Arc;

const DECIDE: &str = concat!(
    "UPDATE approvals SET decision = ?2, decided_at = ?3, responded_by = ?4, notes = ?5 \
     WHERE id = ?1 AND decision = 'PENDING' RETURNING ",
    approval_columns!()
);

/// The run ends: nobody needs an answer any more.
pub(super) async fn cancel_pending(connection: &mut Connection, run: &str) -> Result<Vec<Approval>> {
    const CANCEL: &str = concat!(
        "UPDATE approvals SET decision = 'CANCELLED', decided_at = ?2 WHERE run_id = ?1 AND decision = 'PENDING' \
         RETURNING ",
        approval_columns!()
    );
    let rows = sqlx::query(CANCEL).bind(run).bind(Timestamp::now().0).fetch_all(connection).await?;
    rows.iter().map(rows::approval).collect()
}

/// What a decision does to a run that waits for it. A run that is being executed finds out by itself.
async fn move_run(connection: &mut Connection, approval: &Approval) -> Result<(Run, Vec<Approval>)> {
    let id = approval.run_id.as_str();
    let from = RunStatus::WaitingApproval;
    let ended = match approval.decision {
        Decision::Approved => {
            sqlx::query(
                "UPDATE workflow_runs SET status = 'PENDING' WHERE id = ?1 AND status = 'WAITING_APPROVAL'",
            )
            .bind(id)
            .execute(&mut *connection)
            .await?;
            false
        }
        Decision::Expired => {
            let why = ("approval_expired", "nobody answered the approval in time");
            runs::end(connection, id, from, RunStatus::TimedOut, Some(why)).await?
        }
        Decision::Rejected => runs::end(connection, id, from, RunStatus::Rejected, None).await?,
        Decision::Pending | Decision::Cancelled => false,
    };
    let others = if ended { cancel_pending(connection, id).await? } else { Vec::new() };
    let run = runs::select(connection, id).await?;
    Ok((run.ok_or_else(|| corrupt("approvals.run_id", id))?, others))
}

impl SqliteStore {
    pub(super) async fn insert_approval(&self, approval: Approval) -> Result<Option<Approval>> {
        let approval = Arc::new(approval);
        self.writer
            .write("INSERT INTO approvals", move |connection| {
                let approval = Arc::clone(&approval);
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO approvals (id, run_id, workflow, node_id, agent, action, input, decision, \
                         requested_at, expires_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'PENDING', ?8, ?9 \
                         WHERE EXISTS (SELECT 1 FROM workflow_runs WHERE id = ?2 AND status = 'RUNNING') \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(&approval.id)
                    .bind(&approval.run_id)
                    .bind(&approval.workflow)
                    .bind(&approval.node_id)
                    .bind(&approval.agent)
                    .bind(&approval.action)
                    .bind(approval.input.to_string())
                    .bind(approval.requested_at.0)
                    .bind(approval.expires_at.0)
                    .execute(&mut *connection)
                    .await?;
                    if done.rows_affected() == 1 {
                        return Ok(Some((*approval).clone()));
                    }
                    let known = sqlx::query(concat!(
                        "SELECT ",
                        approval_columns!(),
                        " FROM approvals WHERE run_id = ?1 AND node_id = ?2"
                    ))
                    .bind(&approval.run_id)
                    .bind(&approval.node_id)
                    .fetch_optional(connection)
                    .await?;
                    known.as_ref().map(rows::approval).transpose()
                })
            })
            .await
    }

    pub(super) async fn select_approvals(
        &self,
        decision: Option<Decision>,
        page: Page,
    ) -> Result<Vec<Approval>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            approval_columns!(),
            " FROM approvals WHERE ?1 IS NULL OR decision = ?1 ORDER BY id DESC LIMIT ?2 OFFSET ?3"
        ))
        .bind(decision.map(Decision::as_str))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(rows::approval).collect()
    }

    pub(super) async fn select_approvals_of(&self, run: &str) -> Result<Vec<Approval>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            approval_columns!(),
            " FROM approvals WHERE run_id = ?1 ORDER BY id"
        ))
        .bind(run)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(rows::approval).collect()
    }

    pub(super) async fn decide_approval(&self, id: &str, answer: Answer) -> Result<(Decided, Vec<Approval>)> {
        let arguments = Arc::new((id.to_owned(), answer));
        self.writer
            .write("UPDATE approvals", move |connection| {
                let arguments = Arc::clone(&arguments);
                Box::pin(async move {
                    let (id, answer) = &*arguments;
                    let known =
                        sqlx::query(concat!("SELECT ", approval_columns!(), " FROM approvals WHERE id = ?1"))
                            .bind(id)
                            .fetch_optional(&mut *connection)
                            .await?;
                    let Some(known) = known else { return Ok((Decided::Unknown, Vec::new())) };
                    let known = rows::approval(&known)?;
                    let now = Timestamp::now();
                    match known.decision {
                        Decision::Pending if known.expires_at > now => {}
                        // The clock has decided, even when nobody has written it down yet.
                        Decision::Pending | Decision::Expired => {
                            return Ok((Decided::Expired(known), Vec::new()));
                        }
                        Decision::Approved | Decision::Rejected | Decision::Cancelled => {
                            return Ok((Decided::Already(known), Vec::new()));
                        }
                    }
                    let row = sqlx::query(DECIDE)
                        .bind(id)
                        .bind(answer.decision.as_str())
                        .bind(now.0)
                        .bind(&answer.responded_by)
                        .bind(&answer.notes)
                        .fetch_one(&mut *connection)
                        .await?;
                    let approval = rows::approval(&row)?;
                    let (run, others) = move_run(connection, &approval).await?;
                    Ok((Decided::Now(approval, run), others))
                })
            })
            .await
    }

    pub(super) async fn expire_approvals(&self) -> Result<Vec<(Approval, Run)>> {
        self.writer
            .write("UPDATE approvals", |connection| {
                Box::pin(async move {
                    let now = Timestamp::now();
                    let due = sqlx::query(
                        "SELECT id FROM approvals WHERE decision = 'PENDING' AND expires_at <= ?1 ORDER BY id LIMIT 500",
                    )
                    .bind(now.0)
                    .fetch_all(&mut *connection)
                    .await?;
                    let mut expired = Vec::with_capacity(due.len());
                    for row in due {
                        let row = sqlx::query(DECIDE)
                            .bind(row.try_get::<String, _>("id")?)
                            .bind(Decision::Expired.as_str())
                            .bind(now.0)
                            .bind(None::<String>)
                            .bind(None::<String>)
                            .fetch_optional(&mut *connection)
                            .await?;
                        // The run's first question took it along.
                        let Some(row) = row else { continue };
                        let approval = rows::approval(&row)?;
                        let (run, others) = move_run(connection, &approval).await?;
                        expired.push((approval, run.clone()));
                        expired.extend(others.into_iter().map(|other| (other, run.clone())));
                    }
                    Ok::<_, StoreError>(expired)
                })
            })
            .await
    }

    pub(super) async fn select_next_expiry(&self) -> Result<Option<Timestamp>> {
        // Asked by the clock and not by a caller: a trace of its own would say nothing.
        let row = sqlx::query("SELECT min(expires_at) AS due FROM approvals WHERE decision = 'PENDING'")
            .fetch_one(self.readers.untraced())
            .await?;
        Ok(row.try_get::<Option<i64>, _>("due")?.map(Timestamp))
    }

    pub(super) async fn select_backlog(&self) -> Result<Vec<Waiting>> {
        let rows = sqlx::query(
            "SELECT workflow, count(*) AS pending, min(requested_at) AS oldest FROM approvals \
             WHERE decision = 'PENDING' GROUP BY workflow",
        )
        .fetch_all(self.readers.untraced())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting {
                    workflow: row.try_get("workflow")?,
                    pending: u64::try_from(row.try_get::<i64, _>("pending")?).unwrap_or(0),
                    oldest: Timestamp(row.try_get("oldest")?),
                })
            })
            .collect()
    }
}
