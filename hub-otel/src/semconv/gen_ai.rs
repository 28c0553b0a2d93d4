//! GenAI attributes, as in the semantic conventions 1.37.0 ("in development": they are still being renamed). Off unless
//! asked for. Their keys stand here and nowhere else: the conventions crate carries them only as deprecated leftovers.

use crate::semconv::kv;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;

/// The operation: `invoke_workflow` or `invoke_agent`.
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// The agent's name for people.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// The agent's id.
pub const AGENT_ID: &str = "gen_ai.agent.id";
/// The workflow's name.
pub const WORKFLOW_NAME: &str = "gen_ai.workflow.name";

/// The value of [`OPERATION_NAME`] on workflow.execute.
pub const INVOKE_WORKFLOW: &str = "invoke_workflow";
/// The value of [`OPERATION_NAME`] on agent.execute.
pub const INVOKE_AGENT: &str = "invoke_agent";

/// Adds the attributes of a unit.
pub(crate) fn describe(
    workflow: bool,
    id: &StringValue,
    name: Option<&StringValue>,
    attributes: &mut Vec<KeyValue>,
) {
    let name = name.unwrap_or(id).clone();
    if workflow {
        attributes.extend([kv(OPERATION_NAME, INVOKE_WORKFLOW), kv(WORKFLOW_NAME, name)]);
    } else {
        attributes.extend([
            kv(OPERATION_NAME, INVOKE_AGENT),
            kv(AGENT_ID, id.clone()),
            kv(AGENT_NAME, name),
        ]);
    }
}
