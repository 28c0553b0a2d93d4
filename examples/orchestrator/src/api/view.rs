//! Runs as the API shows them.

use crate::clock::Timestamp;
use crate::domain::{NodeRecord, Run, RunStatus, Trigger};
use crate::store::{Result, Store};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::ToSchema;

/// One execution of a workflow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunView {
    /// The run's id.
    id: String,
    /// Its workflow.
    workflow: String,
    /// Where it stands.
    status: RunStatus,
    /// What started it.
    trigger: Trigger,
    /// The templates' variables.
    #[schema(value_type = Object)]
    context_json: Map<String, Value>,
    /// Why it failed: a stable identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The run that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<String>,
    /// The trace that asked for it.
    trace_id: Option<String>,
    /// How often a process died over it.
    crashes: u32,
    /// How often it stopped to wait for a human: each time ends a segment.
    waits: u32,
    /// Time executed in finished segments, waits excluded.
    executed_ms: u64,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was first taken up.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// What became of its nodes, in the order in which they ended.
    nodes: Vec<NodeRecord>,
}

impl RunView {
    fn new(run: Run, nodes: Vec<NodeRecord>) -> Self {
        Self {
            id: run.id,
            workflow: run.workflow,
            status: run.status,
            trigger: run.trigger,
            context_json: run.context,
            error_type: run.error_type,
            error: run.error,
            retry_of: run.retry_of,
            trace_id: run.trace_id,
            crashes: run.crashes,
            waits: run.waits,
            executed_ms: run.executed_ms,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            nodes,
        }
    }
}

/// The runs with their nodes.
pub(super) async fn with_nodes(store: &dyn Store, runs: Vec<Run>) -> Result<Vec<RunView>> {
    let ids: Vec<_> = runs.iter().map(|run| run.id.clone()).collect();
    let mut nodes: HashMap<String, Vec<NodeRecord>> = HashMap::new();
    for (run, node) in store.nodes(&ids).await? {
        nodes.entry(run).or_default().push(node);
    }
    Ok(runs
        .into_iter()
        .map(|run| {
            let nodes = nodes.remove(&run.id).unwrap_or_default();
            RunView::new(run, nodes)
        })
        .collect())
}
