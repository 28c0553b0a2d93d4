//! Facts at the end of a call of a model or of a tool: input of the metrics and of the cost.

use crate::gen_ai::Usage;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::time::Duration;

/// One call of a model, at its end. Recorded once per call, whether it is sampled or not.
#[derive(Debug, Clone)]
pub(crate) struct InferenceFacts {
    /// `gen_ai.operation.name`: `chat`, `embeddings`, `text_completion`, …
    pub(crate) operation: StringValue,
    /// `gen_ai.provider.name`.
    pub(crate) provider: Option<StringValue>,
    /// `gen_ai.request.model`.
    pub(crate) request_model: Option<StringValue>,
    /// `gen_ai.response.model`.
    pub(crate) response_model: Option<StringValue>,
    /// The tokens that the provider reported.
    pub(crate) usage: Usage,
    /// Time from the start of the call to the first chunk of a streamed response.
    pub(crate) time_to_first_chunk: Option<Duration>,
    /// Time from the start of the call to its end.
    pub(crate) duration: Duration,
    /// `error.type`; `None` if the call did not fail.
    pub(crate) error_type: Option<Cow<'static, str>>,
    /// Cost that the provider reported, in US dollars.
    pub(crate) reported_cost: Option<f64>,
    /// The run that made the call.
    pub(crate) run: Run,
}

/// One execution of a tool, at its end.
#[derive(Debug, Clone)]
pub(crate) struct ToolFacts {
    /// `gen_ai.tool.name`.
    pub(crate) name: StringValue,
    /// Time from the start of the execution to its end.
    pub(crate) duration: Duration,
    /// `error.type`; `None` if the execution did not fail.
    pub(crate) error_type: Option<Cow<'static, str>>,
    /// The run that executed the tool.
    #[expect(dead_code, reason = "no label of the tool metric")]
    pub(crate) run: Run,
}

/// The innermost agent and workflow around a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// `agent.id`, a stable slug.
    pub(crate) agent_id: Option<StringValue>,
    /// `workflow.id`, a stable slug.
    pub(crate) workflow_id: Option<StringValue>,
}
