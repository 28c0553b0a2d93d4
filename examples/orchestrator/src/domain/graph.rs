//! Validation of workflows, before they are stored.

use super::{Node, Workflow};
use crate::agents::Registry;
use crate::template;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Maximum number of nodes.
const MAX_NODES: usize = 100;
/// Maximum length of a name or id.
const MAX_NAME: usize = 64;

/// A workflow that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GraphError {
    /// Stable identifier of the error in the API.
    pub code: &'static str,
    message: String,
}

fn graph_error(code: &'static str, message: String) -> GraphError {
    GraphError { code, message }
}

/// Truncates a text of the input for an error message.
fn truncate(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Validates a workflow.
///
/// # Errors
/// The first error.
pub fn validate(workflow: &Workflow, agents: &Registry) -> Result<(), GraphError> {
    if !is_slug(&workflow.name) {
        let name = truncate(&workflow.name);
        let rule = "a letter, then letters, digits and dashes, all lower case, at most 64";
        return Err(graph_error(
            "invalid_name",
            format!("the name `{name}` is not a slug: {rule}"),
        ));
    }
    let graph = |message| Err(graph_error("invalid_graph", message));
    if workflow.nodes.is_empty() || workflow.nodes.len() > MAX_NODES {
        return graph(format!(
            "a workflow has 1 to {MAX_NODES} nodes, this one has {}",
            workflow.nodes.len()
        ));
    }
    let mut ids = HashSet::new();
    for node in &workflow.nodes {
        if !is_identifier(&node.id) {
            let rule = "a letter, then letters, digits and underscores, all lower case";
            return graph(format!(
                "the node id `{}` is not an identifier: {rule}",
                truncate(&node.id)
            ));
        }
        if !ids.insert(node.id.as_str()) {
            return graph(format!("two nodes have the id `{}`", node.id));
        }
    }
    check_limits(workflow)?;
    for node in &workflow.nodes {
        check_references(node, agents, &ids)?;
    }
    if let Some(path) = find_cycle(workflow) {
        let path = path.join(" -> ");
        return Err(graph_error("cycle", format!("the dependencies have a cycle: {path}")));
    }
    workflow.nodes.iter().try_for_each(|node| check_templates(workflow, node))
}

/// `[a-z][a-z0-9-]*`, at most 64 characters.
#[must_use]
pub fn is_slug(name: &str) -> bool {
    is_word(name, '-')
}

fn is_identifier(name: &str) -> bool {
    is_word(name, '_')
}

fn is_word(name: &str, separator: char) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator)
}

fn check_limits(workflow: &Workflow) -> Result<(), GraphError> {
    const DAY: u64 = 86_400_000;
    const HOUR: u64 = 3_600_000;
    let bounded = |what: &str, value: Option<u64>, min: u64, max: u64| match value {
        Some(value) if !(min..=max).contains(&value) => {
            Err(graph_error("invalid_graph", format!("{what} is {value}; expected {min} to {max}")))
        }
        _ => Ok(()),
    };
    bounded("timeoutMs", workflow.timeout_ms, 1, DAY)?;
    if workflow.description.chars().count() > 1000 {
        return Err(graph_error(
            "invalid_graph",
            "the description is longer than 1000 characters".to_owned(),
        ));
    }
    for node in &workflow.nodes {
        let of = |field: &str| format!("node `{}`: {field}", node.id);
        let dependencies = u64::try_from(node.depends_on.len()).ok();
        bounded(&of("number of dependencies"), dependencies, 0, MAX_NODES as u64)?;
        bounded(&of("timeoutMs"), node.timeout_ms, 1, DAY)?;
        bounded(&of("retry.maxAttempts"), Some(node.retry.max_attempts.into()), 1, 20)?;
        bounded(&of("retry.initialDelayMs"), Some(node.retry.initial_delay_ms), 0, HOUR)?;
        bounded(&of("retry.maxDelayMs"), Some(node.retry.max_delay_ms), 0, HOUR)?;
    }
    Ok(())
}

fn check_references(node: &Node, agents: &Registry, ids: &HashSet<&str>) -> Result<(), GraphError> {
    let Node { id, agent: name, action, .. } = node;
    let Some(agent) = agents.get(name) else {
        let (name, choices) = (truncate(name), agents.ids().join(", "));
        let message = format!("node `{id}`: unknown agent `{name}`; expected one of {choices}");
        return Err(graph_error("unknown_agent", message));
    };
    if !agent.actions().contains(&action.as_str()) {
        let (action, choices) = (truncate(action), agent.actions().join(", "));
        let message =
            format!("node `{id}`: `{name}` has no action `{action}`; expected one of {choices}");
        return Err(graph_error("unknown_action", message));
    }
    match node.depends_on.iter().find(|dependency| !ids.contains(dependency.as_str())) {
        None => Ok(()),
        Some(other) => {
            let message = format!("node `{id}`: unknown dependency `{}`", truncate(other));
            Err(graph_error("unknown_dependency", message))
        }
    }
}

/// Finds a cycle of dependencies. Its first node is repeated at the end.
fn find_cycle(workflow: &Workflow) -> Option<Vec<String>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        OnPath,
        Done,
    }
    fn visit<'a>(
        node: &'a Node,
        workflow: &'a Workflow,
        marks: &mut HashMap<&'a str, Mark>,
        path: &mut Vec<&'a str>,
    ) -> Option<Vec<String>> {
        match marks.get(node.id.as_str()) {
            Some(Mark::Done) => return None,
            Some(Mark::OnPath) => {
                let start = path.iter().position(|id| *id == node.id)?;
                let cycle = path[start..].iter().copied().chain([node.id.as_str()]);
                return Some(cycle.map(str::to_owned).collect());
            }
            None => {}
        }
        marks.insert(&node.id, Mark::OnPath);
        path.push(&node.id);
        for dependency in node.depends_on.iter().filter_map(|id| workflow.node(id)) {
            if let Some(cycle) = visit(dependency, workflow, marks, path) {
                return Some(cycle);
            }
        }
        path.pop();
        marks.insert(&node.id, Mark::Done);
        None
    }
    let mut marks = HashMap::new();
    workflow.nodes.iter().find_map(|node| visit(node, workflow, &mut marks, &mut Vec::new()))
}

/// Direct and indirect dependencies of a node.
fn ancestors<'a>(workflow: &'a Workflow, node: &'a Node) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = node.depends_on.iter().map(String::as_str).collect();
    while let Some(id) = open.pop() {
        if found.insert(id)
            && let Some(node) = workflow.node(id)
        {
            open.extend(node.depends_on.iter().map(String::as_str));
        }
    }
    found
}

/// Checks that the templates parse and read only outputs of dependencies.
fn check_templates(workflow: &Workflow, node: &Node) -> Result<(), GraphError> {
    let bad = |reason: String| graph_error("bad_template", format!("node `{}`, {reason}", node.id));
    let names = template::collect_names(&node.input).map_err(|error| bad(error.to_string()))?;
    let before = ancestors(workflow, node);
    let mut read: Vec<_> = names.iter().filter_map(|name| name.strip_prefix("nodes.")).collect();
    read.sort_unstable();
    for name in read {
        let other = name.split('.').next().unwrap_or_default();
        if !before.contains(other) {
            return Err(bad(format!(
                "the templates read `nodes.{other}`, but it does not depend on `{other}`"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::{Agent, AgentContext, AgentError};
    use serde_json::{Value, json};

    struct Echo;

    #[async_trait::async_trait]
    impl Agent for Echo {
        fn actions(&self) -> &'static [&'static str] {
            &["repeat"]
        }

        async fn execute(&self, context: AgentContext) -> Result<Value, AgentError> {
            Ok(context.input)
        }
    }

    fn problem(nodes: Value) -> String {
        let workflow = serde_json::from_value(json!({"name": "w", "nodes": nodes})).unwrap();
        let agents = Registry::new().with("echo", std::sync::Arc::new(Echo));
        validate(&workflow, &agents)
            .map_err(|error| format!("{}: {error}", error.code))
            .err()
            .unwrap_or_default()
    }

    fn node(id: &str, after: &[&str]) -> Value {
        json!({"id": id, "agent": "echo", "action": "repeat", "dependsOn": after})
    }

    #[test]
    fn the_error_of_a_cycle_has_its_path() {
        let error = problem(json!([
            node("a", &["c"]),
            node("b", &["a"]),
            node("c", &["b"]),
            node("d", &[])
        ]));
        assert_eq!(error, "cycle: the dependencies have a cycle: a -> c -> b -> a");
        assert_eq!(
            problem(json!([node("a", &["a"])])),
            "cycle: the dependencies have a cycle: a -> a"
        );
    }

    #[test]
    fn a_diamond_is_not_a_cycle() {
        assert_eq!(
            problem(json!([
                node("a", &[]),
                node("b", &["a"]),
                node("c", &["a"]),
                node("d", &["b", "c"])
            ])),
            ""
        );
    }

    #[test]
    fn unknown_agents_actions_and_dependencies_are_named_with_the_choices() {
        let error = problem(json!([{"id": "a", "agent": "ecko", "action": "repeat"}]));
        assert_eq!(error, "unknown_agent: node `a`: unknown agent `ecko`; expected one of echo");
        let error = problem(json!([{"id": "a", "agent": "echo", "action": "shout"}]));
        assert_eq!(
            error,
            "unknown_action: node `a`: `echo` has no action `shout`; expected one of repeat"
        );
        let error = problem(json!([node("a", &["z"])]));
        assert_eq!(error, "unknown_dependency: node `a`: unknown dependency `z`");
    }

    #[test]
    fn a_template_reads_only_outputs_of_dependencies() {
        let reads = json!({"id": "b", "agent": "echo", "action": "repeat", "input": {"x": "{{ nodes.a.output }}"}});
        let error = problem(json!([node("a", &[]), reads]));
        assert!(
            error.starts_with("bad_template: node `b`, the templates read `nodes.a`"),
            "{error}"
        );
        let broken = json!({"id": "b", "agent": "echo", "action": "repeat", "input": ["{{ x"]});
        assert!(problem(json!([broken])).starts_with("bad_template: node `b`, template at `/0`"));
    }
}
