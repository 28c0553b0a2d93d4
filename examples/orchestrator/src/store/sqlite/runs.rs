//! Tables of runs and node results. Each change of a status names the statuses that it starts from.

use super::SqliteStore;
use super::statements::{cancel_pending_approvals, end_run, insert_run, select_run};
use crate::clock::Timestamp;
use crate::domain::{Approval, NewRun, NodeRecord, Run, RunStatus};
use crate::store::{Cancelled, Created, End, Page, Recovered, Result, RunStore};
use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{FromRow, Row};

/// Inserts the result of a node of a RUNNING run. Keeps an existing result.
const SAVE_NODE: &str = "INSERT INTO node_results \
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 \
    WHERE EXISTS (SELECT 1 FROM workflow_runs WHERE id = ?1 AND status = 'RUNNING') \
    ON CONFLICT DO NOTHING";
/// Suspends a run, unless it would wait for an approval that is decided and not executed yet.
const PAUSE: &str = "UPDATE workflow_runs SET status = ?2, segment = coalesce(?3, segment), \
    executed_ms = ?4, waits = waits + (?2 = 'WAITING_APPROVAL'), owner = NULL \
    WHERE id = ?1 AND status = 'RUNNING' AND (?2 = 'PENDING' OR NOT EXISTS ( \
        SELECT 1 FROM approvals AS a WHERE a.run_id = ?1 AND a.decision <> 'PENDING' \
        AND NOT EXISTS (SELECT 1 FROM node_results AS n \
            WHERE n.run_id = ?1 AND n.node_id = a.node_id)))";

#[async_trait]
impl RunStore for SqliteStore {
    async fn create_run(&self, run: NewRun) -> Result<Created> {
        self.writer
            .write("INSERT INTO workflow_runs", run, |connection, run| {
                Box::pin(async move {
                    if let Some(run) = insert_run(connection, run, Timestamp::now()).await? {
                        return Ok(Created::New(run));
                    }
                    let (key, fingerprint) =
                        run.idempotency.as_ref().map(|(key, print)| (key, print)).unzip();
                    let known = sqlx::query(
                        "SELECT * FROM workflow_runs WHERE workflow = ?1 AND idempotency_key = ?2",
                    );
                    let row = known.bind(&run.workflow).bind(key).fetch_one(connection).await?;
                    let stored: Option<&str> = row.try_get("idempotency_fingerprint")?;
                    let same = stored == fingerprint.map(String::as_str);
                    Ok(if same {
                        Created::Existing(Run::from_row(&row)?)
                    } else {
                        Created::Conflict
                    })
                })
            })
            .await
    }

    async fn run(&self, id: &str) -> Result<Option<Run>> {
        let run = sqlx::query_as("SELECT * FROM workflow_runs WHERE id = ?1");
        Ok(run.bind(id).fetch_optional(&self.readers).await?)
    }

    async fn runs(
        &self,
        workflow: &str,
        status: Option<RunStatus>,
        page: Page,
    ) -> Result<Vec<Run>> {
        Ok(sqlx::query_as(
            "SELECT * FROM workflow_runs WHERE workflow = ?1 AND (?2 IS NULL OR status = ?2) \
             ORDER BY id DESC LIMIT ?3 OFFSET ?4",
        )
        .bind(workflow)
        .bind(status)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.readers)
        .await?)
    }

    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>> {
        // One statement text for any number of runs.
        let rows = sqlx::query(
            "SELECT * FROM node_results WHERE run_id IN (SELECT value FROM json_each(?1)) ORDER BY finished_at",
        );
        let rows = rows.bind(Json(runs)).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((row.try_get("run_id")?, NodeRecord::from_row(row)?))).collect()
    }

    async fn claim(&self, id: &str, owner: &str, segment: Option<String>) -> Result<Option<Run>> {
        let arguments = (id.to_owned(), owner.to_owned(), segment);
        self.writer
            .write("UPDATE workflow_runs", arguments, |connection, (id, owner, segment)| {
                Box::pin(async move {
                    Ok(sqlx::query_as(
                        "UPDATE workflow_runs SET status = 'RUNNING', owner = ?2, segment = coalesce(?3, segment), \
                         started_at = coalesce(started_at, ?4) WHERE id = ?1 AND status = 'PENDING' RETURNING *",
                    )
                    .bind(id)
                    .bind(owner)
                    .bind(segment)
                    .bind(Timestamp::now())
                    .fetch_optional(connection)
                    .await?)
                })
            })
            .await
    }

    async fn save_node(&self, run: &str, record: NodeRecord) -> Result<bool> {
        self.writer
            .write(
                "INSERT INTO node_results",
                (run.to_owned(), record),
                |connection, (run, record)| {
                    Box::pin(async move {
                        let done = sqlx::query(SAVE_NODE)
                            .bind(run)
                            .bind(&record.id)
                            .bind(&record.agent)
                            .bind(&record.action)
                            .bind(record.status)
                            .bind(&record.output)
                            .bind(&record.error_type)
                            .bind(&record.error)
                            .bind(record.attempts)
                            .bind(record.started_at)
                            .bind(record.finished_at)
                            .execute(connection)
                            .await?;
                        Ok(done.rows_affected() == 1)
                    })
                },
            )
            .await
    }

    async fn finish(&self, id: &str, end: End) -> Result<Option<Vec<Approval>>> {
        self.writer
            .write("UPDATE workflow_runs", (id.to_owned(), end), |connection, (id, end)| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE workflow_runs SET status = ?2, error_type = ?3, error = ?4, executed_ms = ?5, \
                         finished_at = ?6, owner = NULL WHERE id = ?1 AND status = 'RUNNING'",
                    )
                    .bind(id)
                    .bind(end.status)
                    .bind(&end.error_type)
                    .bind(&end.error)
                    .bind(i64::try_from(end.executed_ms).unwrap_or(i64::MAX))
                    .bind(Timestamp::now())
                    .execute(&mut *connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Ok(None);
                    }
                    cancel_pending_approvals(connection, id).await.map(Some)
                })
            })
            .await
    }

    async fn pause(
        &self,
        id: &str,
        to: RunStatus,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<bool> {
        let arguments =
            (id.to_owned(), to, segment, i64::try_from(executed_ms).unwrap_or(i64::MAX));
        self.writer
            .write(
                "UPDATE workflow_runs",
                arguments,
                |connection, (id, to, segment, executed_ms)| {
                    Box::pin(async move {
                        let done = sqlx::query(PAUSE)
                            .bind(id)
                            .bind(to)
                            .bind(segment)
                            .bind(executed_ms)
                            .execute(connection)
                            .await?;
                        Ok(done.rows_affected() == 1)
                    })
                },
            )
            .await
    }

    async fn cancel(&self, id: &str) -> Result<(Cancelled, Vec<Approval>)> {
        self.writer
            .write("UPDATE workflow_runs", id.to_owned(), |connection, id| {
                Box::pin(async move {
                    let Some(run) = select_run(connection, id).await? else {
                        return Ok((Cancelled::Unknown, Vec::new()));
                    };
                    if run.status.is_terminal() {
                        return Ok((Cancelled::AlreadyEnded(run.status), Vec::new()));
                    }
                    end_run(connection, id, run.status, RunStatus::Cancelled, None).await?;
                    let approvals = cancel_pending_approvals(connection, id).await?;
                    Ok((Cancelled::From(run.status, run), approvals))
                })
            })
            .await
    }

    async fn recover(&self, owner: &str, crash_limit: u32) -> Result<Recovered> {
        let unfinished =
            "SELECT 1 FROM workflow_runs WHERE status IN ('PENDING', 'RUNNING') LIMIT 1";
        if sqlx::query(unfinished).fetch_optional(self.readers.untraced()).await?.is_none() {
            return Ok(Recovered { runs: Vec::new(), crash_looped: Vec::new() });
        }
        self.writer
            .write("UPDATE workflow_runs", (owner.to_owned(), crash_limit), |connection, (owner, crash_limit)| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE workflow_runs SET crashes = crashes + 1, status = 'PENDING', owner = NULL \
                         WHERE status = 'RUNNING' AND owner IS NOT ?1",
                    )
                    .bind(owner)
                    .execute(&mut *connection)
                    .await?;
                    let crash_looped: Vec<Run> = sqlx::query_as(
                        "UPDATE workflow_runs SET status = 'FAILED', error_type = 'crash_loop', finished_at = ?2, \
                         error = format('the process crashed %d times during this run', crashes) \
                         WHERE status = 'PENDING' AND crashes >= ?1 RETURNING *",
                    )
                    .bind(crash_limit)
                    .bind(Timestamp::now())
                    .fetch_all(&mut *connection)
                    .await?;
                    for run in &crash_looped {
                        cancel_pending_approvals(connection, &run.id).await?;
                    }
                    let pending = sqlx::query_as("SELECT * FROM workflow_runs WHERE status = 'PENDING' ORDER BY id");
                    Ok(Recovered { runs: pending.fetch_all(connection).await?, crash_looped })
                })
            })
            .await
    }
}
