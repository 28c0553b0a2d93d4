//! Rows as values: the one place that knows the columns' order and spelling.

use super::corrupt;
use crate::clock::Timestamp;
use crate::domain::{Approval, Decision, NodeRecord, NodeStatus, Run, RunStatus, Trigger};
use crate::store::Result;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The columns of [`run`].
macro_rules! run_columns {
    () => {
        "id, workflow, trigger, context, status, error_type, error, retry_of, trace_id, crashes, waits, executed_ms, \
         segment, created_at, started_at, finished_at"
    };
}
pub(super) use run_columns;

/// The columns of [`approval`].
macro_rules! approval_columns {
    () => {
        "id, run_id, workflow, node_id, agent, action, input, decision, requested_at, expires_at, decided_at, \
         responded_by, notes"
    };
}
pub(super) use approval_columns;

pub(super) fn run(row: &SqliteRow) -> Result<Run> {
    let trigger: &str = row.try_get("trigger")?;
    let status: &str = row.try_get("status")?;
    let context: &str = row.try_get("context")?;
    Ok(Run {
        id: row.try_get("id")?,
        workflow: row.try_get("workflow")?,
        trigger: Trigger::parse(trigger).ok_or_else(|| corrupt("workflow_runs.trigger", trigger))?,
        context: serde_json::from_str(context).map_err(|_| corrupt("workflow_runs.context", context))?,
        status: RunStatus::parse(status).ok_or_else(|| corrupt("workflow_runs.status", status))?,
        error_type: row.try_get("error_type")?,
        error: row.try_get("error")?,
        retry_of: row.try_get("retry_of")?,
        trace_id: row.try_get("trace_id")?,
        crashes: row.try_get("crashes")?,
        waits: row.try_get("waits")?,
        executed_ms: u64::try_from(row.try_get::<i64, _>("executed_ms")?).unwrap_or(0),
        segment: row.try_get("segment")?,
        created_at: Timestamp(row.try_get("created_at")?),
        started_at: row.try_get::<Option<i64>, _>("started_at")?.map(Timestamp),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Timestamp),
    })
}

pub(super) fn node(row: &SqliteRow) -> Result<(String, NodeRecord)> {
    let status: &str = row.try_get("status")?;
    let output: Option<&str> = row.try_get("output")?;
    let output = output
        .map(|text| serde_json::from_str(text).map_err(|_| corrupt("node_results.output", text)))
        .transpose()?;
    let record = NodeRecord {
        id: row.try_get("node_id")?,
        agent: row.try_get("agent")?,
        action: row.try_get("action")?,
        status: NodeStatus::parse(status).ok_or_else(|| corrupt("node_results.status", status))?,
        output,
        error_type: row.try_get("error_type")?,
        error: row.try_get("error")?,
        attempts: row.try_get("attempts")?,
        started_at: Timestamp(row.try_get("started_at")?),
        finished_at: Timestamp(row.try_get("finished_at")?),
    };
    Ok((row.try_get("run_id")?, record))
}

pub(super) fn approval(row: &SqliteRow) -> Result<Approval> {
    let decision: &str = row.try_get("decision")?;
    let input: &str = row.try_get("input")?;
    Ok(Approval {
        id: row.try_get("id")?,
        run_id: row.try_get("run_id")?,
        workflow: row.try_get("workflow")?,
        node_id: row.try_get("node_id")?,
        agent: row.try_get("agent")?,
        action: row.try_get("action")?,
        input: serde_json::from_str(input).map_err(|_| corrupt("approvals.input", input))?,
        decision: Decision::parse(decision).ok_or_else(|| corrupt("approvals.decision", decision))?,
        requested_at: Timestamp(row.try_get("requested_at")?),
        expires_at: Timestamp(row.try_get("expires_at")?),
        decided_at: row.try_get::<Option<i64>, _>("decided_at")?.map(Timestamp),
        responded_by: row.try_get("responded_by")?,
        notes: row.try_get("notes")?,
    })
}
