//! The tables of runs and of their nodes' results. Each change of state names the states that it starts from.

use super::rows::{self, run_columns};
use super::{Connection, SqliteStore, approvals};
use crate::clock::Timestamp;
use crate::domain::{Approval, NewRun, NodeRecord, Run, RunStatus};
use crate::store::{Cancelled, Created, End, Page, Recovered, Result};
use sqlx::Row;
use std::sync::Arc;

const INSERT: &str = concat!(
    "INSERT INTO workflow_runs (id, workflow, trigger, context, status, retry_of, trace_id, idempotency_key, \
     idempotency_fingerprint, created_at) VALUES (?1, ?2, ?3, ?4, 'PENDING', ?5, ?6, ?7, ?8, ?9) RETURNING ",
    run_columns!()
);

/// Inserts a run that is known to be new.
pub(super) async fn insert(connection: &mut Connection, run: &NewRun, now: Timestamp) -> Result<Run> {
    let (key, fingerprint) = run.idempotency.clone().unzip();
    let row = sqlx::query(INSERT)
        .bind(&run.id)
        .bind(&run.workflow)
        .bind(run.trigger.as_str())
        .bind(serde_json::Value::Object(run.context.clone()).to_string())
        .bind(&run.retry_of)
        .bind(&run.trace_id)
        .bind(key)
        .bind(fingerprint)
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    rows::run(&row)
}

/// The run of that id, as the transaction sees it.
pub(super) async fn select(connection: &mut Connection, id: &str) -> Result<Option<Run>> {
    let row = sqlx::query(concat!("SELECT ", run_columns!(), " FROM workflow_runs WHERE id = ?1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::run).transpose()
}

/// Moves a run that nobody executes to a terminal state.
pub(super) async fn end(
    connection: &mut Connection,
    id: &str,
    from: RunStatus,
    to: RunStatus,
    why: Option<(&str, &str)>,
) -> Result<bool> {
    debug_assert!(from.may_become(to) && to.is_terminal());
    let (error_type, error) = why.unzip();
    let done = sqlx::query(
        "UPDATE workflow_runs SET status = ?3, error_type = ?4, error = ?5, finished_at = ?6, owner = NULL \
         WHERE id = ?1 AND status = ?2",
    )
    .bind(id)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(error_type)
    .bind(error)
    .bind(Timestamp::now().0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

impl SqliteStore {
    pub(super) async fn insert_run(&self, run: NewRun) -> Result<Created> {
        let run = Arc::new(run);
        self.writer
            .write("INSERT INTO workflow_runs", move |connection| {
                let run = Arc::clone(&run);
                Box::pin(async move {
                    if let Some((key, fingerprint)) = &run.idempotency {
                        const FIND: &str = concat!(
                            "SELECT idempotency_fingerprint, ",
                            run_columns!(),
                            " FROM workflow_runs WHERE workflow = ?1 AND idempotency_key = ?2"
                        );
                        let known = sqlx::query(FIND).bind(&run.workflow).bind(key);
                        if let Some(row) = known.fetch_optional(&mut *connection).await? {
                            let asked: &str = row.try_get("idempotency_fingerprint")?;
                            return Ok(if asked == fingerprint {
                                Created::Existing(rows::run(&row)?)
                            } else {
                                Created::Conflict
                            });
                        }
                    }
                    Ok(Created::New(insert(connection, &run, Timestamp::now()).await?))
                })
            })
            .await
    }

    pub(super) async fn select_run(&self, id: &str) -> Result<Option<Run>> {
        let row = sqlx::query(concat!("SELECT ", run_columns!(), " FROM workflow_runs WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(rows::run).transpose()
    }

    pub(super) async fn select_runs(
        &self,
        workflow: &str,
        status: Option<RunStatus>,
        page: Page,
    ) -> Result<Vec<Run>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            run_columns!(),
            " FROM workflow_runs WHERE workflow = ?1 AND (?2 IS NULL OR status = ?2) \
             ORDER BY id DESC LIMIT ?3 OFFSET ?4"
        ))
        .bind(workflow)
        .bind(status.map(RunStatus::as_str))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(rows::run).collect()
    }

    pub(super) async fn select_nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>> {
        // One statement for any number of runs, and none whose text depends on it.
        let ids = serde_json::Value::from(runs.to_vec()).to_string();
        let rows = sqlx::query(
            "SELECT * FROM node_results WHERE run_id IN (SELECT value FROM json_each(?1)) ORDER BY finished_at",
        )
        .bind(ids)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(rows::node).collect()
    }

    pub(super) async fn claim_run(
        &self,
        id: &str,
        owner: &str,
        segment: Option<String>,
    ) -> Result<Option<Run>> {
        const CLAIM: &str = concat!(
            "UPDATE workflow_runs SET status = 'RUNNING', owner = ?2, segment = coalesce(?3, segment), \
             started_at = coalesce(started_at, ?4) WHERE id = ?1 AND status = 'PENDING' RETURNING ",
            run_columns!()
        );
        let arguments = Arc::new((id.to_owned(), owner.to_owned(), segment));
        self.writer
            .write("UPDATE workflow_runs", move |connection| {
                let arguments = Arc::clone(&arguments);
                Box::pin(async move {
                    let (id, owner, segment) = &*arguments;
                    let row = sqlx::query(CLAIM)
                        .bind(id)
                        .bind(owner)
                        .bind(segment)
                        .bind(Timestamp::now().0)
                        .fetch_optional(connection)
                        .await?;
                    row.as_ref().map(rows::run).transpose()
                })
            })
            .await
    }

    pub(super) async fn insert_node(&self, run: &str, record: NodeRecord) -> Result<bool> {
        let arguments = Arc::new((run.to_owned(), record));
        self.writer
            .write("INSERT INTO node_results", move |connection| {
                let arguments = Arc::clone(&arguments);
                Box::pin(async move {
                    let (run, record) = &*arguments;
                    let done = sqlx::query(
                        "INSERT INTO node_results SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 \
                         WHERE EXISTS (SELECT 1 FROM workflow_runs WHERE id = ?1 AND status = 'RUNNING') \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(run)
                    .bind(&record.id)
                    .bind(&record.agent)
                    .bind(&record.action)
                    .bind(record.status.as_str())
                    .bind(record.output.as_ref().map(ToString::to_string))
                    .bind(&record.error_type)
                    .bind(&record.error)
                    .bind(record.attempts)
                    .bind(record.started_at.0)
                    .bind(record.finished_at.0)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    pub(super) async fn finish_run(&self, id: &str, end: End) -> Result<Option<Vec<Approval>>> {
        let arguments = Arc::new((id.to_owned(), end));
        self.writer
            .write("UPDATE workflow_runs", move |connection| {
                let arguments = Arc::clone(&arguments);
                Box::pin(async move {
                    let (id, end) = &*arguments;
                    let done = sqlx::query(
                        "UPDATE workflow_runs SET status = ?2, error_type = ?3, error = ?4, executed_ms = ?5, \
                         finished_at = ?6, owner = NULL WHERE id = ?1 AND status = 'RUNNING'",
                    )
                    .bind(id)
                    .bind(end.status.as_str())
                    .bind(&end.error_type)
                    .bind(&end.error)
                    .bind(i64::try_from(end.executed_ms).unwrap_or(i64::MAX))
                    .bind(Timestamp::now().0)
                    .execute(&mut *connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Ok(None);
                    }
                    approvals::cancel_pending(connection, id).await.map(Some)
                })
            })
            .await
    }

    /// RUNNING → PENDING or WAITING_APPROVAL. Waiting for what is decided already would be for ever: then `false`.
    pub(super) async fn pause_run(
        &self,
        id: &str,
        to: RunStatus,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<bool> {
        let arguments = Arc::new((id.to_owned(), segment));
        self.writer
            .write("UPDATE workflow_runs", move |connection| {
                let arguments = Arc::clone(&arguments);
                Box::pin(async move {
                    let (id, segment) = &*arguments;
                    let done = sqlx::query(
                        "UPDATE workflow_runs SET status = ?2, segment = coalesce(?3, segment), executed_ms = ?4, \
                         waits = waits + (?2 = 'WAITING_APPROVAL'), owner = NULL WHERE id = ?1 AND status = 'RUNNING' AND (?2 = 'PENDING' OR NOT EXISTS ( \
                             SELECT 1 FROM approvals AS a WHERE a.run_id = ?1 AND a.decision <> 'PENDING' \
                             AND NOT EXISTS (SELECT 1 FROM node_results AS n WHERE n.run_id = ?1 AND n.node_id = a.node_id)))",
                    )
                    .bind(id)
                    .bind(to.as_str())
                    .bind(segment)
                    .bind(i64::try_from(executed_ms).unwrap_or(i64::MAX))
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    pub(super) async fn cancel_run(&self, id: &str) -> Result<(Cancelled, Vec<Approval>)> {
        let id = id.to_owned();
        self.writer
            .write("UPDATE workflow_runs", move |connection| {
                let id = id.clone();
                Box::pin(async move {
                    let Some(run) = select(connection, &id).await? else {
                        return Ok((Cancelled::Unknown, Vec::new()));
                    };
                    if run.status.is_terminal() {
                        return Ok((Cancelled::AlreadyEnded(run.status), Vec::new()));
                    }
                    end(connection, &id, run.status, RunStatus::Cancelled, None).await?;
                    let approvals = approvals::cancel_pending(connection, &id).await?;
                    Ok((Cancelled::From(run.status, run), approvals))
                })
            })
            .await
    }

    pub(super) async fn recover_runs(&self, owner: &str, crash_limit: u32) -> Result<Recovered> {
        const STRANDED: &str = concat!(
            "UPDATE workflow_runs SET crashes = crashes + 1, status = CASE WHEN crashes + 1 >= ?2 \
             THEN 'FAILED' ELSE 'PENDING' END, owner = NULL WHERE status = 'RUNNING' AND owner IS NOT ?1 RETURNING ",
            run_columns!()
        );
        const PENDING: &str =
            concat!("SELECT ", run_columns!(), " FROM workflow_runs WHERE status = 'PENDING' ORDER BY id");
        let unfinished =
            sqlx::query("SELECT 1 FROM workflow_runs WHERE status IN ('PENDING', 'RUNNING') LIMIT 1")
                .fetch_optional(self.readers.untraced())
                .await?;
        if unfinished.is_none() {
            return Ok(Recovered { runs: Vec::new(), crash_looped: Vec::new() });
        }
        let owner = owner.to_owned();
        self.writer
            .write("UPDATE workflow_runs", move |connection| {
                let owner = owner.clone();
                Box::pin(async move {
                    let stranded =
                        sqlx::query(STRANDED).bind(owner).bind(crash_limit).fetch_all(&mut *connection).await?;
                    let mut crash_looped = Vec::new();
                    for row in &stranded {
                        let mut run = rows::run(row)?;
                        if run.status != RunStatus::Failed {
                            continue;
                        }
                        let why = format!("the process died over it {} times", run.crashes);
                        sqlx::query(
                            "UPDATE workflow_runs SET error_type = 'crash_loop', error = ?2, finished_at = ?3 \
                             WHERE id = ?1",
                        )
                        .bind(&run.id)
                        .bind(&why)
                        .bind(Timestamp::now().0)
                        .execute(&mut *connection)
                        .await?;
                        approvals::cancel_pending(connection, &run.id).await?;
                        run.error_type = Some("crash_loop".to_owned());
                        run.error = Some(why);
                        crash_looped.push(run);
                    }
                    let pending = sqlx::query(PENDING).fetch_all(connection).await?;
                    let runs = pending.iter().map(rows::run).collect::<Result<_>>()?;
                    Ok(Recovered { runs, crash_looped })
                })
            })
            .await
    }
}
