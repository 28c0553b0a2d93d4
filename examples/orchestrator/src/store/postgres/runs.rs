//! Tables of runs and node results.

use super::retention::delete_ended;
use super::statements::{
    cancel_pending_approvals, change_run, insert_run, lock_run, move_run, remove_run, take_slot,
    update_run,
};
use super::transaction::Transaction;
use super::{PostgresStore, json, text};
use crate::clock::Timestamp;
use crate::domain::{Approval, NewRun, NodeRecord, Run, RunState, RunStatus};
use crate::store::page::{listed, page};
use crate::store::rules::{Change, executed_until, known_key};
use crate::store::{
    Admission, Cancelled, Created, End, Listed, MAX_PAGE_BYTES, Owner, Page, Paused, Result,
    RunStore, StoredBacklog,
};
use async_trait::async_trait;
use sqlx::{FromRow, Row as _};

/// Inserts the result of a node of an owned RUNNING run. Keeps an existing result. The lock delays
/// the end of the run until the commit.
const SAVE_NODE: &str = "INSERT INTO node_results \
    SELECT id, $4, $5, $6, $7, $8::json, $9, $10, $11, $12, $13 FROM workflow_runs \
    WHERE id = $1 AND status = 'RUNNING' AND version = $2 AND owner = $3 FOR SHARE \
    ON CONFLICT DO NOTHING";
const IS_OWNED: &str = "SELECT count(*) FROM workflow_runs \
    WHERE id = $1 AND status = 'RUNNING' AND version = $2 AND owner = $3";
/// Counts the approvals of a run that are decided and not executed yet.
const DECIDED: &str = "SELECT count(*) FROM approvals AS a WHERE a.run_id = $1 \
    AND a.decision <> 'PENDING' AND NOT EXISTS \
    (SELECT 1 FROM node_results AS n WHERE n.run_id = $1 AND n.node_id = a.node_id)";
/// Counts the runs that never started, by the indexes of the runs of an owner and of those without
/// one. Every owner of a run has a row.
const NOT_STARTED: &str = "SELECT workflow, count(*) AS pending, min(created_at) AS oldest FROM ( \
        SELECT workflow, created_at, started_at FROM owners \
        JOIN workflow_runs ON owner = owners.id WHERE status = 'PENDING' \
        UNION ALL SELECT workflow, created_at, started_at FROM workflow_runs \
        WHERE owner IS NULL AND status = 'PENDING' \
    ) AS pending_runs WHERE started_at IS NULL GROUP BY workflow";

/// Finds the run of an earlier request with the same idempotency key.
async fn find_by_key(transaction: &mut Transaction, run: &NewRun) -> Result<Option<Created>> {
    let Some((key, fingerprint)) = &run.idempotency else { return Ok(None) };
    let known =
        sqlx::query("SELECT * FROM workflow_runs WHERE workflow = $1 AND idempotency_key = $2");
    let known = known.bind(text(&run.workflow)).bind(text(key));
    let Some(row) = known.fetch_optional(&mut **transaction).await? else { return Ok(None) };
    let stored: Option<&str> = row.try_get("idempotency_fingerprint")?;
    Ok(Some(known_key(Run::from_row(&row)?, stored, &text(fingerprint))))
}

#[async_trait]
impl RunStore for PostgresStore {
    async fn create_run(&self, run: NewRun, admission: Admission) -> Result<Option<Created>> {
        self.write(
            "INSERT INTO workflow_runs",
            (run, admission),
            |transaction, (run, admission)| {
                Box::pin(async move {
                    let known = find_by_key(transaction, run).await?;
                    if known.is_some() {
                        return Ok(known);
                    }
                    let Some(created) = insert_run(transaction, run, &admission.owner).await?
                    else {
                        // Another request with the key was committed in between.
                        return find_by_key(transaction, run).await;
                    };
                    if take_slot(transaction, admission).await? {
                        return Ok(Some(Created::New(created)));
                    }
                    transaction.discard();
                    Ok(None)
                })
            },
        )
        .await
    }

    async fn run(&self, id: &str) -> Result<Option<Run>> {
        let run = sqlx::query_as("SELECT * FROM workflow_runs WHERE id = $1").bind(text(id));
        self.read(run.fetch_optional(&self.db)).await
    }

    async fn runs(
        &self,
        workflow: &str,
        status: Option<RunStatus>,
        page: Page,
    ) -> Result<Listed<Run>> {
        let rows = sqlx::query(page!(
            "workflow_runs",
            "workflow = $1 AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR id < $3)",
            "id DESC",
            "octet_length(context::text) + coalesce(octet_length(error), 0) + coalesce((SELECT \
             sum(coalesce(octet_length(output::text), 0) + \
             coalesce(octet_length(node_results.error), 0)) \
             FROM node_results WHERE run_id = id), 0)",
            "$4",
            "$5"
        ));
        let rows = rows.bind(text(workflow)).bind(status.map(RunStatus::as_str));
        let rows = rows.bind(page.after.as_deref().map(text)).bind(i64::from(page.limit));
        let rows = rows.bind(i64::from(MAX_PAGE_BYTES)).fetch_all(&self.db);
        listed(&self.read(rows).await?, "id")
    }

    async fn run_backlog(&self) -> Result<Vec<StoredBacklog>> {
        // Not traced: a timer queries it, not a request.
        self.read(sqlx::query_as(NOT_STARTED).fetch_all(self.db.untraced())).await
    }

    async fn nodes(&self, runs: &[String]) -> Result<Vec<(String, NodeRecord)>> {
        let rows =
            sqlx::query("SELECT * FROM node_results WHERE run_id = ANY($1) ORDER BY finished_at");
        let rows = self.read(rows.bind(runs).fetch_all(&self.db)).await?;
        rows.iter().map(|row| Ok((row.try_get("run_id")?, NodeRecord::from_row(row)?))).collect()
    }

    async fn claim(&self, id: &str, waits: u32, owner: &Owner) -> Result<Option<Run>> {
        let arguments = (id.to_owned(), waits, owner.clone());
        self.write_untraced(arguments, |transaction, (id, waits, owner)| {
            Box::pin(async move {
                let run = lock_run(transaction, id).await?;
                let pending = |run: &Run| run.status == RunStatus::Pending && run.waits == *waits;
                let Some(run) = run.filter(pending) else { return Ok(None) };
                let (before, pending) = (run.state(), RunStatus::Pending);
                let change = Change { owner: Some(&owner.id), ..Change::default() };
                let claimed = update_run(transaction, &before, pending, change).await?;
                if claimed.is_some() {
                    move_run(transaction, before.owner.as_deref(), owner).await?;
                }
                Ok(claimed)
            })
        })
        .await
    }

    async fn start(&self, run: RunState, segment: Option<String>) -> Result<Option<Run>> {
        self.write("UPDATE workflow_runs", (run, segment), |transaction, (run, segment)| {
            let (owner, segment) = (run.owner.as_deref(), segment.as_deref());
            let change = Change { owner, segment, ..Change::default() };
            Box::pin(change_run(transaction, run, RunStatus::Running, change))
        })
        .await
    }

    async fn save_node(&self, run: RunState, record: NodeRecord) -> Result<bool> {
        self.write("INSERT INTO node_results", (run, record), |transaction, (run, record)| {
            Box::pin(async move {
                let done = sqlx::query(SAVE_NODE)
                    .bind(&run.id)
                    .bind(run.version)
                    .bind(&run.owner)
                    .bind(&record.id)
                    .bind(&record.agent)
                    .bind(&record.action)
                    .bind(record.status.as_str())
                    .bind(record.output.as_ref().map(json).transpose()?)
                    .bind(&record.error_type)
                    .bind(record.error.as_deref().map(text))
                    .bind(i64::from(record.attempts))
                    .bind(record.started_at)
                    .bind(record.finished_at)
                    .execute(&mut **transaction)
                    .await?;
                if done.rows_affected() == 1 {
                    return Ok(true);
                }
                let owned = sqlx::query_scalar(IS_OWNED).bind(&run.id).bind(run.version);
                let owned: i64 = owned.bind(&run.owner).fetch_one(&mut **transaction).await?;
                Ok(owned == 1)
            })
        })
        .await
    }

    async fn finish(&self, run: RunState, end: End) -> Result<Option<Vec<Approval>>> {
        self.write("UPDATE workflow_runs", (run, end), |transaction, (run, end)| {
            Box::pin(async move {
                let change = Change {
                    failure: end.error_type.as_deref().zip(end.error.as_deref()),
                    executed_ms: Some(end.executed_ms),
                    ..Change::default()
                };
                if update_run(transaction, run, end.status, change).await?.is_none() {
                    return Ok(None);
                }
                let approvals = cancel_pending_approvals(transaction, &run.id).await?;
                remove_run(transaction, run).await?;
                Ok(Some(approvals))
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
        self.write("UPDATE workflow_runs", (run, segment), move |transaction, (run, segment)| {
            Box::pin(async move {
                let (segment, executed_ms) = (segment.as_deref(), Some(executed_ms));
                let change = Change { segment, executed_ms, ..Change::default() };
                let pending = RunStatus::Pending;
                Ok(change_run(transaction, run, pending, change).await?.is_some())
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
        self.write("UPDATE workflow_runs", (run, segment), move |transaction, (run, segment)| {
            Box::pin(async move {
                // A decision locks the run too, so that it is either counted here or finds the run
                // waiting.
                lock_run(transaction, &run.id).await?;
                let decided = sqlx::query_scalar(DECIDED).bind(&run.id);
                let decided: i64 = decided.fetch_one(&mut **transaction).await?;
                if decided > 0 {
                    return Ok(Paused::Decided);
                }
                let (segment, executed_ms) = (segment.as_deref(), Some(executed_ms));
                let change = Change { segment, executed_ms, ..Change::default() };
                let waiting = RunStatus::WaitingApproval;
                let run = change_run(transaction, run, waiting, change).await?;
                Ok(run.map_or(Paused::Lost, |_| Paused::Now))
            })
        })
        .await
    }

    async fn delete_ended(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.write_untraced((before, limit), |transaction, (before, limit)| {
            Box::pin(delete_ended(transaction, *before, *limit))
        })
        .await
    }

    async fn cancel(&self, id: &str) -> Result<(Cancelled, Vec<Approval>)> {
        self.write("UPDATE workflow_runs", id.to_owned(), |transaction, id| {
            Box::pin(async move {
                let Some(run) = lock_run(transaction, id).await? else {
                    return Ok((Cancelled::Unknown, Vec::new()));
                };
                if run.status.is_terminal() {
                    return Ok((Cancelled::AlreadyEnded(run.status), Vec::new()));
                }
                let executed_ms = Some(executed_until(&run, transaction.now));
                let change = Change { executed_ms, ..Change::default() };
                // The owner's count is locked last.
                let approvals = cancel_pending_approvals(transaction, id).await?;
                let cancelled = RunStatus::Cancelled;
                let run = change_run(transaction, &run.state(), cancelled, change).await?;
                // `None` is impossible: the run is locked.
                let run = run.ok_or(sqlx::Error::RowNotFound)?;
                Ok((Cancelled::Now(run), approvals))
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_otel_tests::postgres::Cluster;
    use sqlx::AssertSqlSafe;

    #[tokio::test]
    async fn runs_that_never_started_are_found_by_indexes() {
        let Some(cluster) = Cluster::shared() else { return };
        let store = PostgresStore::open(&cluster.create_database().await).await.unwrap();
        let mut connection = store.pool().acquire().await.unwrap();
        // A table with few rows is read as a whole.
        sqlx::raw_sql("SET enable_seqscan = off").execute(&mut *connection).await.unwrap();
        let explain = sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {NOT_STARTED}")));
        let plan: Vec<String> = explain.fetch_all(&mut *connection).await.unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan on workflow_runs"), "{plan}");
        for index in ["workflow_runs_by_owner", "workflow_runs_unowned"] {
            assert!(plan.contains(index), "{plan}");
        }
    }
}
