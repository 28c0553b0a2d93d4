//! Is a workflow a graph that can be run? Everything that is wrong with it, said once, before it is stored.

use super::{Node, Workflow};
use crate::agents::Registry;
use crate::template;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A workflow is at most this large.
const MOST_NODES: usize = 100;
const LONGEST_NAME: usize = 64;

/// What is wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GraphError {
    /// The error's stable identifier in the API.
    pub code: &'static str,
    message: String,
}

fn wrong(code: &'static str, message: String) -> GraphError {
    GraphError { code, message }
}

/// As much of what somebody wrote as an error repeats.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Checks everything that can be known before a run.
///
/// # Errors
/// The first mistake that was found.
pub fn validate(workflow: &Workflow, agents: &Registry) -> Result<(), GraphError> {
    if !is_slug(&workflow.name) {
        let name = shown(&workflow.name);
        let rule = "a letter, then letters, digits and dashes, all lower case, at most 64";
        return Err(wrong("invalid_name", format!("the name `{name}` is not a slug: {rule}")));
    }
    let graph = |message| Err(wrong("invalid_graph", message));
    if workflow.nodes.is_empty() || workflow.nodes.len() > MOST_NODES {
        return graph(format!(
            "a workflow has 1 to {MOST_NODES} nodes, this one has {}",
            workflow.nodes.len()
        ));
    }
    let mut ids = HashSet::new();
    for node in &workflow.nodes {
        if !is_identifier(&node.id) {
            let rule = "a letter, then letters, digits and underscores, all lower case";
            return graph(format!(
                "the node id `{}` is not an identifier: {rule}",
                shown(&node.id)
            ));
        }
        if !ids.insert(node.id.as_str()) {
            return graph(format!("two nodes are called `{}`", node.id));
        }
    }
    limits(workflow)?;
    for node in &workflow.nodes {
        known(node, agents, &ids)?;
    }
    if let Some(path) = cycle(workflow) {
        let path = path.join(" -> ");
        return Err(wrong("cycle", format!("the nodes depend on each other in a circle: {path}")));
    }
    workflow.nodes.iter().try_for_each(|node| templates(workflow, node))
}

/// `[a-z][a-z0-9-]*`, at most 64 characters.
#[must_use]
pub fn is_slug(name: &str) -> bool {
    word(name, '-')
}

fn is_identifier(name: &str) -> bool {
    word(name, '_')
}

fn word(name: &str, joint: char) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint)
}

fn limits(workflow: &Workflow) -> Result<(), GraphError> {
    const DAY: u64 = 86_400_000;
    const HOUR: u64 = 3_600_000;
    let bounded = |what: &str, value: Option<u64>, least: u64, most: u64| match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(wrong("invalid_graph", format!("{what} is {value}; it may be {least} to {most}")))
        }
        _ => Ok(()),
    };
    bounded("timeoutMs", workflow.timeout_ms, 1, DAY)?;
    if workflow.description.chars().count() > 1000 {
        return Err(wrong(
            "invalid_graph",
            "the description is longer than 1000 characters".to_owned(),
        ));
    }
    for node in &workflow.nodes {
        let of = |field: &str| format!("node `{}`: {field}", node.id);
        bounded(&of("timeoutMs"), node.timeout_ms, 1, DAY)?;
        bounded(&of("retry.maxAttempts"), Some(node.retry.max_attempts.into()), 1, 20)?;
        bounded(&of("retry.initialDelayMs"), Some(node.retry.initial_delay_ms), 0, HOUR)?;
        bounded(&of("retry.maxDelayMs"), Some(node.retry.max_delay_ms), 0, HOUR)?;
    }
    Ok(())
}

fn known(node: &Node, agents: &Registry, ids: &HashSet<&str>) -> Result<(), GraphError> {
    let Node { id, agent: name, action, .. } = node;
    let Some(agent) = agents.get(name) else {
        let (name, choices) = (shown(name), agents.ids().join(", "));
        let message = format!(
            "node `{id}` asks the agent `{name}`, which does not exist; there are: {choices}"
        );
        return Err(wrong("unknown_agent", message));
    };
    if !agent.actions().contains(&action.as_str()) {
        let (action, choices) = (shown(action), agent.actions().join(", "));
        let message = format!(
            "node `{id}` asks `{name}` for `{action}`, which it cannot do; it can: {choices}"
        );
        return Err(wrong("unknown_action", message));
    }
    match node.depends_on.iter().find(|dependency| !ids.contains(dependency.as_str())) {
        None => Ok(()),
        Some(other) => {
            let message =
                format!("node `{id}` depends on `{}`, which does not exist", shown(other));
            Err(wrong("unknown_dependency", message))
        }
    }
}

/// A circle of dependencies, first node repeated at the end.
fn cycle(workflow: &Workflow) -> Option<Vec<String>> {
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
                let circle = path[start..].iter().copied().chain([node.id.as_str()]);
                return Some(circle.map(str::to_owned).collect());
            }
            None => {}
        }
        marks.insert(&node.id, Mark::OnPath);
        path.push(&node.id);
        for dependency in node.depends_on.iter().filter_map(|id| workflow.node(id)) {
            if let Some(circle) = visit(dependency, workflow, marks, path) {
                return Some(circle);
            }
        }
        path.pop();
        marks.insert(&node.id, Mark::Done);
        None
    }
    let mut marks = HashMap::new();
    workflow.nodes.iter().find_map(|node| visit(node, workflow, &mut marks, &mut Vec::new()))
}

/// Everything that `node` comes after, near and far.
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

/// Do the templates parse, and do they read only outputs that are there by then?
fn templates(workflow: &Workflow, node: &Node) -> Result<(), GraphError> {
    let bad = |reason: String| wrong("bad_template", format!("node `{}`, {reason}", node.id));
    let names = template::names(&node.input).map_err(|error| bad(error.to_string()))?;
    let before = ancestors(workflow, node);
    let mut read: Vec<_> = names.iter().filter_map(|name| name.strip_prefix("nodes.")).collect();
    read.sort_unstable();
    for rest in read {
        let other = rest.split('.').next().unwrap_or_default();
        if !before.contains(other) {
            return Err(bad(format!(
                "its templates read `nodes.{other}`, but it does not depend on `{other}`"
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
            &["say"]
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
        json!({"id": id, "agent": "echo", "action": "say", "dependsOn": after})
    }

    #[test]
    fn a_circle_is_shown_as_its_path() {
        let said = problem(json!([
            node("a", &["c"]),
            node("b", &["a"]),
            node("c", &["b"]),
            node("d", &[])
        ]));
        assert_eq!(said, "cycle: the nodes depend on each other in a circle: a -> c -> b -> a");
        assert_eq!(
            problem(json!([node("a", &["a"])])),
            "cycle: the nodes depend on each other in a circle: a -> a"
        );
    }

    #[test]
    fn a_diamond_is_no_circle() {
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
        let said = problem(json!([{"id": "a", "agent": "ecko", "action": "say"}]));
        assert_eq!(
            said,
            "unknown_agent: node `a` asks the agent `ecko`, which does not exist; there are: echo"
        );
        let said = problem(json!([{"id": "a", "agent": "echo", "action": "shout"}]));
        assert_eq!(
            said,
            "unknown_action: node `a` asks `echo` for `shout`, which it cannot do; it can: say"
        );
        let said = problem(json!([node("a", &["z"])]));
        assert_eq!(said, "unknown_dependency: node `a` depends on `z`, which does not exist");
    }

    #[test]
    fn a_template_may_only_read_what_is_there_by_then() {
        let reads = json!({"id": "b", "agent": "echo", "action": "say", "input": {"x": "{{ nodes.a.output }}"}});
        let said = problem(json!([node("a", &[]), reads]));
        assert!(said.starts_with("bad_template: node `b`, its templates read `nodes.a`"), "{said}");
        let broken = json!({"id": "b", "agent": "echo", "action": "say", "input": ["{{ x"]});
        assert!(problem(json!([broken])).starts_with("bad_template: node `b`, template at `/0`"));
    }
}
