//! Checkpoints of nodes: each node is a step of DBOS.

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

/// The steps of a segment.
///
/// DBOS numbers a step when it is created, and reads its checkpoint by that number. All steps are
/// therefore created at once, in topological order, also those that this segment does not execute.
/// A step is executed when its node is ready, in any order.
pub(super) struct DbosSteps(
    HashMap<String, (Arc<OnceLock<Value>>, PendingStep<'static, NodeRecord>)>,
);

impl DbosSteps {
    /// Creates the steps. Within the body, whose task counts them.
    pub(super) fn new(engine: &Engine, run: &Arc<Run>, workflow: &Arc<Workflow>) -> Self {
        let nodes = in_topological_order(workflow).into_iter();
        let steps = nodes.map(|node| (node.id.clone(), step(engine, run, node.clone())));
        Self(steps.collect())
    }
}

/// Creates the step of a node, whose input is set before it is executed.
fn step(
    engine: &Engine,
    run: &Arc<Run>,
    node: Node,
) -> (Arc<OnceLock<Value>>, PendingStep<'static, NodeRecord>) {
    let input = Arc::new(OnceLock::new());
    let (engine, run, rendered) = (engine.clone(), Arc::clone(run), Arc::clone(&input));
    let name = node.id.clone();
    let node = Arc::new(node);
    let step = ::dbos::step(&name, move || {
        let (engine, run, node) = (engine.clone(), Arc::clone(&run), Arc::clone(&node));
        let input = rendered.get().cloned().unwrap_or_default();
        async move { Ok(node::execute(&engine, &run, &node, input).await) }
    });
    (input, step)
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
            let Some((rendered, step)) = step else {
                tracing::error!(node = id, "the node has no step in this segment");
                return Err(NotWritten::Stopped(Stop::HandBack));
            };
            drop(rendered.set(input));
            step.await.map_err(|error| {
                // Another execution has stored this step, or the execution was cancelled. If the
                // run still belongs to this process, it is handed back and continued from the
                // checkpoints.
                tracing::warn!(%error, node = id, "the checkpoint of the node failed");
                NotWritten::Stopped(Stop::HandBack)
            })
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
