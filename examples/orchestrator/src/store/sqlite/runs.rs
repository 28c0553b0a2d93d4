//! Tables of runs and node results.

use super::SqliteStore;
use super::retention::delete_ended;
use super::statements::{
    cancel_pending_approvals, change_run, insert_owner, insert_run, select_run, take_slot,
};
use super::writer::Connection;
use crate::clock::Timestamp;
use crate::domain::{Approval, NewRun, NodeRecord, Run, RunState, RunStatus};
use crate::store::page::{listed, page};
use crate::store::rules::{Change, executed_until, known_key};
use crate::store::{
    Admission, Cancelled, Created, End, Listed, MAX_PAGE_BYTES, Owner, Page, Paused, Result,
    RunStore, StoredBacklog,
};
use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{FromRow, Row};

/// Inserts the result of a node of an owned RUNNING run. Keeps an existing result.
const SAVE_NODE: &str = "INSERT INTO node_results \
    SELECT id, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM workflow_runs \
    WHERE id = ?1 AND status = 'RUNNING' AND version = ?2 AND owner = ?3 ON CONFLICT DO NOTHING";
const IS_OWNED: &str = "SELECT count(*) FROM workflow_runs \
    WHERE id = ?1 AND status = 'RUNNING' AND version = ?2 AND owner = ?3";
/// Counts the approvals of a run that are decided and not executed yet.
const DECIDED: &str = "SELECT count(*) FROM approvals AS a WHERE a.run_id = ?1 \
    AND a.decision <> 'PENDING' AND NOT EXISTS \
    (SELECT 1 FROM node_results AS n WHERE n.run_id = ?1 AND n.node_id = a.node_id)";
/// Counts the runs that never started. The list of states is the condition of the index
/// `workflow_runs_unfinished`, which SQLite uses only if the query repeats it.
const NOT_STARTED: &str = "SELECT workflow, count(*) AS pending, min(created_at) AS oldest \
    FROM workflow_runs WHERE status IN ('PENDING', 'RUNNING', 'WAITING_APPROVAL') \
    AND status = 'PENDING' AND started_at IS NULL GROUP BY workflow";

/// Finds the run of an earlier request with the same idempotency key.
async fn find_by_key(connection: &mut Connection, run: &NewRun) -> Result<Option<Created>> {
    let Some((key, fingerprint)) = &run.idempotency else { return Ok(None) };
    let known =
        sqlx::query("SELECT * FROM workflow_runs WHERE workflow = ?1 AND idempotency_key = ?2");
    let known = known.bind(&run.workflow).bind(key).fetch_optional(connection).await?;
    let Some(row) = known else { return Ok(None) };
    let stored: Option<&str> = row.try_get("idempotency_fingerprint")?;
    Ok(Some(known_key(Run::from_row(&row)?, stored, fingerprint)))
}

#[async_trait]
impl RunStore for SqliteStore {
    async fn create_run(&self, run: NewRun, admission: Admission) -> Result<Option<Created>> {
        self.writer
            .write("INSERT INTO workflow_runs", (run, admission), |connection, (run, admission)| {
                Box::pin(async move {
                    let now = Timestamp::now();
                    let known = find_by_key(connection, run).await?;
                    if known.is_some() {
                        return Ok(known);
                    }
                    if !take_slot(connection, admission, now).await? {
                        return Ok(None);
                    }
                    let run = insert_run(connection, run, &admission.owner, now).await?;
                    Ok(Some(Created::New(run)))
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
    ) -> Result<Listed<Run>> {
        let rows = sqlx::query(page!(
            "workflow_runs",
            "workflow = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR id < ?3)",
            "id DESC",
            "octet_length(context) + coalesce(octet_length(error), 0) + coalesce((SELECT \
             sum(coalesce(octet_length(output), 0) + coalesce(octet_length(error), 0)) \
             FROM node_results WHERE run_id = id), 0)",
            "?4",
            "?5"
        ));
        let rows = rows.bind(workflow).bind(status).bind(page.after);
        let rows = rows.bind(page.limit).bind(MAX_PAGE_BYTES).fetch_all(&self.readers).await?;
        listed(&rows, "id")
    }

    async fn run_backlog(&self) -> Result<Vec<StoredBacklog>> {
        // Not traced: a timer queries it, not a request.
        Ok(sqlx::query_as(NOT_STARTED).fetch_all(self.readers.untraced()).await?)
    }

    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>> {
        // One statement text for any number of runs.
        let rows = sqlx::query(
            "SELECT * FROM node_results WHERE run_id IN (SELECT value FROM json_each(?1)) ORDER BY finished_at",
        );
        let rows = rows.bind(Json(runs)).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((row.try_get("run_id")?, NodeRecord::from_row(row)?))).collect()
    }

    async fn claim(&self, id: &str, waits: u32, owner: &Owner) -> Result<Option<Run>> {
        let arguments = (id.to_owned(), waits, owner.clone());
        self.writer
            .write_untraced(arguments, |connection, (id, waits, owner)| {
                Box::pin(async move {
                    let run = select_run(connection, id).await?;
                    let pending =
                        |run: &Run| run.status == RunStatus::Pending && run.waits == *waits;
                    let Some(run) = run.filter(pending) else { return Ok(None) };
                    insert_owner(connection, owner, Timestamp::now()).await?;
                    let change = Change { owner: Some(&owner.id), ..Change::default() };
                    change_run(connection, &run.state(), RunStatus::Pending, change).await
                })
            })
            .await
    }

    async fn start(&self, run: RunState, segment: Option<String>) -> Result<Option<Run>> {
        self.writer
            .write("UPDATE workflow_runs", (run, segment), |connection, (run, segment)| {
                let (owner, segment) = (run.owner.as_deref(), segment.as_deref());
                let change = Change { owner, segment, ..Change::default() };
                Box::pin(change_run(connection, run, RunStatus::Running, change))
            })
            .await
    }

    async fn save_node(&self, run: RunState, record: NodeRecord) -> Result<bool> {
        self.writer
            .write("INSERT INTO node_results", (run, record), |connection, (run, record)| {
                Box::pin(async move {
                    let done = sqlx::query(SAVE_NODE)
                        .bind(&run.id)
                        .bind(run.version)
                        .bind(&run.owner)
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
                        .execute(&mut *connection)
                        .await?;
                    if done.rows_affected() == 1 {
                        return Ok(true);
                    }
                    let owned = sqlx::query_scalar(IS_OWNED).bind(&run.id).bind(run.version);
                    let owned: i64 = owned.bind(&run.owner).fetch_one(connection).await?;
                    Ok(owned == 1)
                })
            })
            .await
    }

    async fn finish(&self, run: RunState, end: End) -> Result<Option<Vec<Approval>>> {
        self.writer
            .write("UPDATE workflow_runs", (run, end), |connection, (run, end)| {
                Box::pin(async move {
                    let change = Change {
                        failure: end.error_type.as_deref().zip(end.error.as_deref()),
                        executed_ms: Some(end.executed_ms),
                        ..Change::default()
                    };
                    match change_run(connection, run, end.status, change).await? {
                        Some(_) => cancel_pending_approvals(connection, &run.id).await.map(Some),
                        None => Ok(None),
                    }
                })
            })
            .await
    }

    async fn hand_back(
        &self,
        run: RunState,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<bool> {
        self.writer
            .write("UPDATE workflow_runs", (run, segment), move |connection, (run, segment)| {
                Box::pin(async move {
                    let (segment, executed_ms) = (segment.as_deref(), Some(executed_ms));
                    let change = Change { segment, executed_ms, ..Change::default() };
                    let pending = RunStatus::Pending;
                    Ok(change_run(connection, run, pending, change).await?.is_some())
                })
            })
            .await
    }

    async fn suspend(
        &self,
        run: RunState,
        segment: Option<String>,
        executed_ms: u64,
    ) -> Result<Paused> {
        self.writer
            .write("UPDATE workflow_runs", (run, segment), move |connection, (run, segment)| {
                Box::pin(async move {
                    let decided = sqlx::query_scalar(DECIDED).bind(&run.id);
                    let decided: i64 = decided.fetch_one(&mut *connection).await?;
                    if decided > 0 {
                        return Ok(Paused::Decided);
                    }
                    let (segment, executed_ms) = (segment.as_deref(), Some(executed_ms));
                    let change = Change { segment, executed_ms, ..Change::default() };
                    let waiting = RunStatus::WaitingApproval;
                    let run = change_run(connection, run, waiting, change).await?;
                    Ok(run.map_or(Paused::Lost, |_| Paused::Now))
                })
            })
            .await
    }

    async fn delete_ended(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.writer
            .write_untraced((before, limit), |connection, (before, limit)| {
                Box::pin(delete_ended(connection, *before, *limit))
            })
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
                    let executed_ms = Some(executed_until(&run, Timestamp::now()));
                    let change = Change { executed_ms, ..Change::default() };
                    let cancelled = RunStatus::Cancelled;
                    let run = change_run(connection, &run.state(), cancelled, change).await?;
                    // `None` is impossible inside of the transaction.
                    let run = run.ok_or(sqlx::Error::RowNotFound)?;
                    let approvals = cancel_pending_approvals(connection, id).await?;
                    Ok((Cancelled::Now(run), approvals))
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_that_never_started_are_found_by_an_index() {
        let store = SqliteStore::open(":memory:").await.unwrap();
        let plan = store.query_plan(NOT_STARTED).await;
        let search = "SEARCH workflow_runs USING INDEX workflow_runs_unfinished (status=?)";
        assert!(plan.iter().any(|step| step == search), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
    }
}
