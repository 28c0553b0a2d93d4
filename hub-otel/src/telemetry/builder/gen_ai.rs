//! GenAI settings of the builder.

use crate::config::CAPTURE_CONTENT;
use crate::gen_ai::ContentCapture;
use crate::telemetry::builder::TelemetryBuilder;

/// Agents and calls of models.
impl TelemetryBuilder {
    /// Sets whether workflows and agents have the attributes of the GenAI conventions:
    /// `gen_ai.operation.name`, `gen_ai.workflow.name`, `gen_ai.agent.name`.
    ///
    /// Default: `true`. Calls of models and tools always have theirs. The variable
    /// OTEL_SEMCONV_STABILITY_OPT_IN selects the names: those of the semantic conventions 1.41,
    /// with
    /// `gen_ai_latest_experimental` the latest ones, with `gen_ai/dup` both.
    pub fn gen_ai(mut self, on: bool) -> Self {
        self.options.gen_ai = on;
        self
    }

    /// Sets whether the span of an agent is named `invoke_agent {name}`, as the GenAI conventions
    /// name it.
    ///
    /// Default: `false`, the name is `agent.execute`, which the dashboards of this project select.
    /// No variable.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().invoke_agent_names(true);
    /// ```
    pub fn invoke_agent_names(mut self, on: bool) -> Self {
        self.options.invoke_agent_names = on;
        self
    }

    /// Adds `openinference.span.kind` to every unit: `CHAIN`, `AGENT`, `LLM`, `EMBEDDING`,
    /// `RETRIEVER` or `TOOL`. Langfuse and Phoenix show a workflow as a chain by it.
    ///
    /// Default: `false`. No variable.
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().openinference(true);
    /// ```
    pub fn openinference(mut self, on: bool) -> Self {
        self.options.openinference = on;
        self
    }

    /// Sets where the content of calls is recorded: messages, instructions, arguments and results
    /// of tools. `true` is on spans. Where it is not recorded, attributes with content are removed
    /// from the spans of other libraries too.
    ///
    /// Variable: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT with `true`, `span_only`,
    /// `event_only` or `span_and_event`. Default: `false`. What is recorded, and how it is cut and
    /// redacted: [`Current::input_messages`].
    ///
    /// [`Current::input_messages`]: crate::Current::input_messages
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().capture_content(true);
    /// ```
    pub fn capture_content(self, content: impl Into<ContentCapture>) -> Self {
        self.set(CAPTURE_CONTENT, "capture_content", content.into().to_string())
    }

    /// Carries an attribute of the run to processes that receive the run, and accepts it from
    /// callers that are trusted, as W3C Baggage. May be called several times.
    ///
    /// `gen_ai.conversation.id` and `session.id` are carried without this setting. No variable. See
    /// [`Current::run_attribute`](crate::Current::run_attribute) and
    /// [`inject_run`](crate::propagation::inject_run).
    ///
    /// ```
    /// let builder = hub_otel::Telemetry::builder().carry_run_attribute("tenant.id");
    /// ```
    pub fn carry_run_attribute(mut self, key: impl Into<String>) -> Self {
        self.carried.push(key.into());
        self
    }
}
