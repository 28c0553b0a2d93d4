//! GenAI attributes and span names of workflows and agents, by the chosen names of the conventions.

use crate::options::{GenAiNames, Options};
use crate::semconv::gen_ai::{self as g, openinference, operation};
use crate::semconv::kv;
use crate::unit::call;
use crate::unit::identity::StartIdentity;
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;

/// Returns the GenAI attributes of a workflow or an agent.
///
/// The latest conventions name a workflow by `gen_ai.agent.name`. Its operation stays
/// `invoke_workflow`. An agent of the same process has no id.
pub(super) fn describe<'a>(
    kind: UnitKind,
    names: GenAiNames,
    id: &'a str,
    name: &'a str,
) -> [Option<(&'static str, &'a str)>; 3] {
    let (is_released, is_latest) = (names != GenAiNames::Latest, names != GenAiNames::Released);
    if kind == UnitKind::Agent {
        return [
            Some((g::OPERATION_NAME, operation::INVOKE_AGENT)),
            (names == GenAiNames::Both).then_some((g::AGENT_ID, id)),
            Some((g::AGENT_NAME, name)),
        ];
    }
    [
        Some((g::OPERATION_NAME, operation::INVOKE_WORKFLOW)),
        is_latest.then_some((g::AGENT_NAME, name)),
        is_released.then_some((g::WORKFLOW_NAME, name)),
    ]
}

/// Returns `openinference.span.kind`.
pub(super) fn openinference_kind(kind: UnitKind, identity: &StartIdentity) -> KeyValue {
    let kind = match kind {
        UnitKind::Workflow => openinference::CHAIN,
        UnitKind::Agent => openinference::AGENT,
        UnitKind::Tool => openinference::TOOL,
        UnitKind::Llm => match identity.trigger_or_action.as_str() {
            operation::RETRIEVAL => openinference::RETRIEVER,
            operation::EMBEDDINGS => openinference::EMBEDDING,
            _ => openinference::LLM,
        },
    };
    kv(g::OPENINFERENCE_SPAN_KIND, kind)
}

/// Returns the span name that the conventions give to a unit. `None`: the fixed name.
pub(super) fn span_name(
    kind: UnitKind,
    options: &Options,
    identity: &StartIdentity,
) -> Option<String> {
    match kind {
        UnitKind::Llm | UnitKind::Tool => Some(call::span_name(kind, identity)),
        UnitKind::Agent if options.invoke_agent_names => {
            let name = identity.name.as_ref().unwrap_or(&identity.id);
            Some(format!("{} {}", operation::INVOKE_AGENT, name.as_str()))
        }
        UnitKind::Agent | UnitKind::Workflow => None,
    }
}
