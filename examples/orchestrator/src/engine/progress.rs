//! Progress of a run: the nodes that can start, and completion. No I/O.

use crate::domain::{Approval, Decision, Node, NodeRecord, NodeStatus, Workflow};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// Progress of a run.
pub(super) struct Progress<'w> {
    workflow: &'w Workflow,
    ended: HashMap<String, NodeRecord>,
    started: HashSet<&'w str>,
    approvals: HashMap<String, Approval>,
}

impl<'w> Progress<'w> {
    /// Creates the progress from stored results.
    pub(super) fn new(
        workflow: &'w Workflow,
        ended: Vec<NodeRecord>,
        approvals: Vec<Approval>,
    ) -> Self {
        let mut progress = Self {
            workflow,
            ended: ended.into_iter().map(|record| (record.id.clone(), record)).collect(),
            started: HashSet::new(),
            approvals: HashMap::new(),
        };
        progress.apply_approvals(approvals);
        progress
    }

    /// Adds or updates approvals.
    pub(super) fn apply_approvals(&mut self, approvals: Vec<Approval>) {
        self.approvals
            .extend(approvals.into_iter().map(|approval| (approval.node_id.clone(), approval)));
    }

    /// Nodes that have not started and whose dependencies have succeeded.
    pub(super) fn ready(&self) -> Vec<&'w Node> {
        if self.failure().is_some() {
            return Vec::new();
        }
        let succeeded = |id: &String| {
            self.ended.get(id).is_some_and(|record| record.status == NodeStatus::Success)
        };
        let not_started = |id: &str| !self.started.contains(id) && !self.ended.contains_key(id);
        let nodes = self.workflow.nodes.iter();
        nodes
            .filter(|node| not_started(&node.id) && node.depends_on.iter().all(succeeded))
            .collect()
    }

    pub(super) fn start(&mut self, node: &'w Node) {
        self.started.insert(&node.id);
    }

    pub(super) fn end(&mut self, record: NodeRecord) {
        self.ended.insert(record.id.clone(), record);
    }

    /// The first failed node.
    pub(super) fn failure(&self) -> Option<&NodeRecord> {
        let failed = self.ended.values().filter(|record| record.status != NodeStatus::Success);
        failed.min_by_key(|record| record.finished_at)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.workflow.nodes.iter().all(|node| self.ended.contains_key(&node.id))
    }

    /// The approval of a node.
    pub(super) fn approval(&self, node: &str) -> Option<&Approval> {
        self.approvals.get(node)
    }

    /// Returns whether an approval is pending.
    pub(super) fn awaits_decision(&self) -> bool {
        self.approvals.values().any(|approval| approval.decision == Decision::Pending)
    }

    /// A rejected or expired approval.
    pub(super) fn denied(&self) -> Option<&Approval> {
        self.approvals
            .values()
            .find(|it| matches!(it.decision, Decision::Rejected | Decision::Expired))
    }

    /// Variables of the templates: the context, and the outputs of the nodes.
    pub(super) fn variables(&self, context: &Map<String, Value>) -> Map<String, Value> {
        let mut variables = context.clone();
        let outputs = self.ended.values().filter(|record| record.status == NodeStatus::Success);
        let nodes: Map<_, _> =
            outputs.map(|record| (record.id.clone(), json!({ "output": record.output }))).collect();
        variables.insert("nodes".to_owned(), nodes.into());
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn diamond() -> Workflow {
        let node = |id: &str, after: &[&str]| json!({"id": id, "agent": "x", "action": "y", "dependsOn": after});
        let nodes = [node("a", &[]), node("b", &["a"]), node("c", &["a"]), node("d", &["b", "c"])];
        serde_json::from_value(json!({"name": "diamond", "nodes": nodes})).unwrap()
    }

    fn ended(id: &str, status: NodeStatus) -> NodeRecord {
        NodeRecord {
            id: id.to_owned(),
            agent: "x".to_owned(),
            action: "y".to_owned(),
            status,
            output: Some(json!(id)),
            error_type: None,
            error: None,
            attempts: 1,
            started_at: Timestamp(0),
            finished_at: Timestamp(1),
        }
    }

    fn ready(progress: &Progress<'_>) -> Vec<String> {
        progress.ready().iter().map(|node| node.id.clone()).collect()
    }

    #[test]
    fn a_node_starts_when_its_dependencies_have_succeeded() {
        let workflow = diamond();
        let mut progress = Progress::new(&workflow, vec![], vec![]);
        assert_eq!(ready(&progress), ["a"]);
        progress.start(&workflow.nodes[0]);
        assert!(ready(&progress).is_empty());
        progress.end(ended("a", NodeStatus::Success));
        assert_eq!(ready(&progress), ["b", "c"]);
        progress.end(ended("b", NodeStatus::Success));
        assert_eq!(ready(&progress), ["c"]);
        progress.end(ended("c", NodeStatus::Success));
        progress.end(ended("d", NodeStatus::Success));
        assert!(progress.is_complete());
    }

    #[test]
    fn a_decision_is_awaited_while_an_approval_is_pending() {
        let workflow = diamond();
        let approval = |node: &str, decision| Approval {
            id: node.to_owned(),
            run_id: "run".to_owned(),
            workflow: "diamond".to_owned(),
            node_id: node.to_owned(),
            agent: "x".to_owned(),
            action: "y".to_owned(),
            input: json!({}),
            decision,
            requested_at: Timestamp(0),
            expires_at: Timestamp(1),
            decided_at: None,
            responded_by: None,
            notes: None,
        };
        let mut progress = Progress::new(&workflow, vec![], vec![]);
        assert!(!progress.awaits_decision(), "a run without approvals");
        progress.apply_approvals(vec![approval("b", Decision::Pending)]);
        assert!(progress.awaits_decision());
        progress.apply_approvals(vec![approval("b", Decision::Approved)]);
        assert!(!progress.awaits_decision());
    }

    #[test]
    fn after_a_failure_no_node_starts() {
        let workflow = diamond();
        let progress = Progress::new(
            &workflow,
            vec![ended("a", NodeStatus::Success), ended("b", NodeStatus::Failed)],
            vec![],
        );
        assert!(ready(&progress).is_empty());
        assert_eq!(progress.failure().map(|record| record.id.as_str()), Some("b"));
    }

    #[test]
    fn outputs_override_a_context_key_named_nodes() {
        let workflow = diamond();
        let progress = Progress::new(&workflow, vec![ended("a", NodeStatus::Success)], vec![]);
        let context = json!({"nodes": "mine", "x": 1});
        let variables = progress.variables(context.as_object().unwrap());
        assert_eq!(variables["nodes"]["a"]["output"], "a");
        assert_eq!(variables["x"], 1);
    }
}
