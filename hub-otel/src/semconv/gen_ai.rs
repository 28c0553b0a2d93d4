//! GenAI attributes of the semantic conventions 1.37.0. Disabled by default, because their status
//! is "development" and they are still being renamed.
//!
//! The keys are spelled here because the conventions crate contains them only as deprecated items.

use crate::semconv::kv;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;

/// Operation: `invoke_workflow` or `invoke_agent`.
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// Display name of the agent.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// Id of the agent.
pub const AGENT_ID: &str = "gen_ai.agent.id";
/// Name of the workflow.
pub const WORKFLOW_NAME: &str = "gen_ai.workflow.name";

/// Value of [`OPERATION_NAME`] on `workflow.execute` spans.
pub const INVOKE_WORKFLOW: &str = "invoke_workflow";
/// Value of [`OPERATION_NAME`] on `agent.execute` spans.
pub const INVOKE_AGENT: &str = "invoke_agent";

/// Adds the GenAI attributes of a unit.
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
