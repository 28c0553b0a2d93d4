//! Checkpoints of nodes: each node is a step of DBOS.

use super::REPLY_TIMEOUT;
use crate::domain::{Node, NodeRecord, Run, Workflow};
use crate::engine::execution::{Executed, Steps};
use crate::engine::persist::NotWritten;
use crate::engine::registry::Stop;
use crate::engine::{Engine, node};
use ::dbos::PendingStep;
use futures_util::FutureExt;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// The steps of a segment.
///
/// DBOS numbers a step when it is created, and reads its checkpoint by that number. All steps are
/// therefore created at once, in topological order, also those that this segment does not execute.
/// A step is executed when its node is ready, in any order.
pub(super) struct DbosSteps(HashMap<String, (Arc<Shared>, PendingStep<'static, NodeRecord>)>);

/// State that the closure of a step shares with its caller.
#[derive(Default)]
struct Shared {
    /// Set before the step is executed.
    input: OnceLock<Value>,
    /// Notified when the node is executed: DBOS has no checkpoint of it.
    started: Notify,
    /// Notified when the node has ended. Its checkpoint is not stored yet.
    ended: Notify,
    result: OnceLock<NodeRecord>,
}

impl DbosSteps {
    /// Creates the steps. Within the body, whose task counts them.
    pub(super) fn new(engine: &Engine, run: &Arc<Run>, workflow: &Arc<Workflow>) -> Self {
        let nodes = in_topological_order(workflow).into_iter();
        let steps = nodes.map(|node| (node.id.clone(), step(engine, run, node.clone())));
        Self(steps.collect())
    }
}

fn step(
    engine: &Engine,
    run: &Arc<Run>,
    node: Node,
) -> (Arc<Shared>, PendingStep<'static, NodeRecord>) {
    let shared = Arc::<Shared>::default();
    let (engine, run, inner) = (engine.clone(), Arc::clone(run), Arc::clone(&shared));
    let name = node.id.clone();
    let node = Arc::new(node);
    let step = ::dbos::step(&name, move || {
        let (engine, run, node) = (engine.clone(), Arc::clone(&run), Arc::clone(&node));
        let shared = Arc::clone(&inner);
        async move {
            shared.started.notify_one();
            let input = shared.input.get().cloned().unwrap_or_default();
            let record = node::execute(&engine, &run, &node, input).await;
            drop(shared.result.set(record.clone()));
            shared.ended.notify_one();
            Ok(record)
        }
    });
    (shared, step)
}

/// Waits until DBOS has not replied within the limit, before the node is executed or after it.
async fn unreplied(shared: &Shared) -> Option<NodeRecord> {
    let started = tokio::time::timeout(REPLY_TIMEOUT, shared.started.notified()).await;
    if started.is_ok() {
        shared.ended.notified().await;
        tokio::time::sleep(REPLY_TIMEOUT).await;
    }
    shared.result.get().cloned()
}

/// The nodes, each after its dependencies.
fn in_topological_order(workflow: &Workflow) -> Vec<&Node> {
    let mut ordered: Vec<&Node> = Vec::with_capacity(workflow.nodes.len());
    while ordered.len() < workflow.nodes.len() {
        let before = ordered.len();
        for node in &workflow.nodes {
            let has = |id: &str| ordered.iter().any(|node| node.id == id);
            if !has(&node.id) && node.depends_on.iter().all(|id| has(id)) {
                ordered.push(node);
            }
        }
        // A stored workflow has no cycle.
        if ordered.len() == before {
            break;
        }
    }
    ordered
}

impl Steps for DbosSteps {
    fn execute(&mut self, node: &Node, input: Value) -> Executed {
        let step = self.0.remove(&node.id);
        let id = node.id.clone();
        async move {
            let Some((shared, step)) = step else {
                tracing::error!(node = id, "the node has no step in this segment");
                return Err(NotWritten::Stopped(Stop::HandBack));
            };
            drop(shared.input.set(input));
            let error = tokio::select! {
                checkpoint = step => match checkpoint {
                    Ok(record) => return Ok(record),
                    // Another execution has stored this step, or the execution was cancelled. If
                    // the run still belongs to this process, it is handed back and continued from
                    // the checkpoints.
                    Err(error) => error.to_string(),
                },
                record = unreplied(&shared) => match record {
                    // The store accepts the result if the run still belongs to this process, and
                    // no later segment executes the node.
                    Some(record) => return Ok(record),
                    None => "no reply to the read of the checkpoint".to_owned(),
                },
            };
            tracing::warn!(error, node = id, "the checkpoint of the node failed");
            Err(NotWritten::Stopped(Stop::HandBack))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_are_created_after_their_dependencies_in_the_order_of_the_workflow() {
        let node = |id: &str, after: &[&str]| json!({"id": id, "agent": "x", "action": "y", "dependsOn": after});
        let nodes = [node("d", &["b", "c"]), node("b", &["a"]), node("a", &[]), node("c", &["a"])];
        let workflow = serde_json::from_value(json!({"name": "diamond", "nodes": nodes})).unwrap();
        let ids: Vec<_> = in_topological_order(&workflow).iter().map(|node| &*node.id).collect();
        assert_eq!(ids, ["a", "c", "b", "d"]);
    }
}
