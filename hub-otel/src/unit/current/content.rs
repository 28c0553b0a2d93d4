//! Content of a call: messages, instructions, arguments and results of tools.

use crate::contain::contain;
use crate::gen_ai::Message;
use crate::semconv::gen_ai as g;
use crate::semconv::kv;
use crate::unit::current::Current;

/// The limit of messages that are taken from an iterator.
const MAX_MESSAGES: usize = 10_000;

/// Content of a call of a model or of a tool, by consent only.
///
/// Content is recorded on spans, in the event `gen_ai.client.inference.operation.details`, or both,
/// if OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is `span_only` or `true`, `event_only`, or
/// `span_and_event`, or by
/// [`TelemetryBuilder::capture_content`](crate::TelemetryBuilder::capture_content). Otherwise these
/// methods have no effect, and an attribute with content is dropped from every span and log record,
/// also if [`record`](Self::record), `fields(…)` or another library sets it.
///
/// An attribute takes up to 16 KiB, less if OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT is lower.
/// Content over the limit stays valid JSON: long strings are cut, then the oldest messages are
/// dropped, and both is stated in place. Redacted are members with the name of a secret, as for
/// attributes, nested ones too; keys of well-known providers; credentials in URLs. Other personal
/// data is not: a span processor of the application can remove it.
impl Current {
    /// Returns whether content is recorded, and is worth computing.
    pub fn captures_content(&self) -> bool {
        let unit = self.unit.as_ref();
        unit.is_some_and(|unit| unit.instance.gen_ai.content.captures()) && self.is_recording()
    }

    /// Sets the messages of the request: `gen_ai.input.messages`. The iterator is not advanced
    /// without consent.
    ///
    /// ```
    /// use hub_otel::{Message, current};
    ///
    /// # async fn request(question: &str) -> Result<String, std::io::Error> { Ok(question.into()) }
    /// #[hub_otel::instrument_llm(provider = "openai", model = "gpt-4o")]
    /// async fn complete(question: &str) -> Result<String, std::io::Error> {
    ///     let call = current();
    ///     call.system_instructions("Answer briefly.");
    ///     call.input_messages([question].map(Message::user));
    ///     let answer = request(question).await?;
    ///     call.output_messages([Message::assistant(&answer).finish_reason("stop")]);
    ///     Ok(answer)
    /// }
    /// ```
    pub fn input_messages(&self, messages: impl IntoIterator<Item = Message>) -> &Self {
        self.set_messages(g::INPUT_MESSAGES, messages)
    }

    /// Sets the messages of the response, one per choice: `gen_ai.output.messages`.
    pub fn output_messages(&self, messages: impl IntoIterator<Item = Message>) -> &Self {
        self.set_messages(g::OUTPUT_MESSAGES, messages)
    }

    /// Sets instructions that are no message: `gen_ai.system_instructions`.
    pub fn system_instructions(&self, text: impl AsRef<str>) -> &Self {
        if self.captures_content() {
            self.set_content(g::SYSTEM_INSTRUCTIONS, instructions(text.as_ref()));
        }
        self
    }

    /// Sets the arguments of a tool, as JSON: `gen_ai.tool.call.arguments`.
    ///
    /// ```
    /// #[hub_otel::instrument_tool(name = "weather")]
    /// async fn weather(city: &str) -> String {
    ///     hub_otel::current().tool_arguments(format!("{{\"city\":{city:?}}}"));
    ///     let report = "14 °C".to_owned();
    ///     hub_otel::current().tool_call_result(&report);
    ///     report
    /// }
    /// ```
    pub fn tool_arguments(&self, json: impl AsRef<str>) -> &Self {
        if self.captures_content() {
            self.set_content(g::TOOL_CALL_ARGUMENTS, json.as_ref().to_owned());
        }
        self
    }

    /// Sets the result of a tool, as JSON or text: `gen_ai.tool.call.result`.
    pub fn tool_call_result(&self, result: impl AsRef<str>) -> &Self {
        if self.captures_content() {
            self.set_content(g::TOOL_CALL_RESULT, result.as_ref().to_owned());
        }
        self
    }

    fn set_messages(
        &self,
        key: &'static str,
        messages: impl IntoIterator<Item = Message>,
    ) -> &Self {
        if self.captures_content() {
            // Before the span is locked: the iterator is user code.
            let collect = || messages.into_iter().take(MAX_MESSAGES).collect::<Vec<_>>();
            if let Some(messages) = contain(collect) {
                self.set_content(key, to_json(&messages));
            }
        }
        self
    }

    fn set_content(&self, key: &'static str, content: String) {
        self.set_attribute(kv(key, content));
    }
}

#[cfg(feature = "sdk")]
use crate::gen_ai::message::{instructions, messages as to_json};

#[cfg(not(feature = "sdk"))]
use inert::{instructions, to_json};

/// Without the SDK no unit is recorded.
#[cfg(not(feature = "sdk"))]
mod inert {
    use crate::gen_ai::Message;

    pub(super) fn to_json(_: &[Message]) -> String {
        String::new()
    }

    pub(super) fn instructions(_: &str) -> String {
        String::new()
    }
}
