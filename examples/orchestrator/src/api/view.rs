//! Runs with the results of their nodes, as the API returns them.

use crate::domain::{NodeRecord, Run};
use crate::store::{Result, Store};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// One execution of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunView {
    #[serde(flatten)]
    run: Run,
    /// Results of its nodes, in the order in which they finished.
    nodes: Vec<NodeRecord>,
}

/// Adds the node results to runs.
pub(super) async fn with_nodes(store: &dyn Store, runs: Vec<Run>) -> Result<Vec<RunView>> {
    let ids: Vec<_> = runs.iter().map(|run| run.id.clone()).collect();
    let mut nodes: HashMap<String, Vec<NodeRecord>> = HashMap::new();
    for (run, node) in store.nodes(&ids).await? {
        nodes.entry(run).or_default().push(node);
    }
    let view = |run: Run| RunView { nodes: nodes.remove(&run.id).unwrap_or_default(), run };
    Ok(runs.into_iter().map(view).collect())
}
