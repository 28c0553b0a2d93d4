//! Messages of a conversation with a model.

use crate::semconv::gen_ai::role;
use std::borrow::Cow;

/// One message of a request or of a response, in the form of the GenAI conventions: a role and its
/// parts.
///
/// ```
/// use hub_otel::Message;
///
/// let question = Message::user("How is the weather in Bonn?");
/// let call = Message::new("assistant")
///     .tool_call("call_1", "weather", r#"{"city":"Bonn"}"#)
///     .finish_reason("tool_calls");
/// let result = Message::tool_result("call_1", "14 °C");
/// # hub_otel::current().input_messages([question, call, result]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "pass it to `input_messages` or `output_messages`"]
pub struct Message {
    role: Cow<'static, str>,
    parts: Vec<Part>,
    finish_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Reasoning(String),
    ToolCall {
        id: String,
        name: String,
        arguments: String,
    },
    ToolResult {
        id: String,
        result: String,
    },
    /// A part without its content: an image, audio.
    Other(String),
}

impl Message {
    /// Creates a message without parts.
    pub fn new(role: impl Into<Cow<'static, str>>) -> Self {
        Self { role: role.into(), parts: Vec::new(), finish_reason: None }
    }

    /// Creates a message of the role `system`.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(role::SYSTEM).text(text)
    }

    /// Creates a message of the role `user`.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(role::USER).text(text)
    }

    /// Creates a message of the role `assistant`.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(role::ASSISTANT).text(text)
    }

    /// Creates a message of the role `tool`: the result of the call with the id `call_id`, as JSON
    /// or text.
    pub fn tool_result(call_id: impl Into<String>, result: impl Into<String>) -> Self {
        let part = Part::ToolResult { id: call_id.into(), result: result.into() };
        Self { parts: vec![part], ..Self::new(role::TOOL) }
    }

    /// Adds a part with text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.part(Part::Text(text.into()))
    }

    /// Adds a part with the reasoning of the model.
    pub fn reasoning(self, text: impl Into<String>) -> Self {
        self.part(Part::Reasoning(text.into()))
    }

    /// Adds a call of a tool that the model requests, with the arguments as JSON.
    pub fn tool_call(
        self,
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        let (id, name, arguments) = (id.into(), name.into(), arguments.into());
        self.part(Part::ToolCall { id, name, arguments })
    }

    /// Adds a part of another type, such as `image`, without its content.
    pub fn other_part(self, part_type: impl Into<String>) -> Self {
        self.part(Part::Other(part_type.into()))
    }

    /// Sets the reason of the end of a message that the model generated.
    pub fn finish_reason(mut self, reason: impl Into<String>) -> Self {
        self.finish_reason = Some(reason.into());
        self
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

#[cfg(feature = "sdk")]
mod to_json {
    use super::{Message, Part};
    use serde_json::{Value, json};

    /// Converts messages to the JSON of the conventions.
    pub(crate) fn messages(messages: &[Message]) -> String {
        Value::from(messages.iter().map(message).collect::<Vec<_>>()).to_string()
    }

    /// Converts instructions to the JSON of the conventions.
    pub(crate) fn instructions(text: &str) -> String {
        json!([{ "type": "text", "content": text }]).to_string()
    }

    fn message(message: &Message) -> Value {
        let parts: Vec<Value> = message.parts.iter().map(part).collect();
        let mut json = json!({ "role": message.role, "parts": parts });
        if let Some(reason) = &message.finish_reason {
            json["finish_reason"] = Value::from(reason.as_str());
        }
        json
    }

    fn part(part: &Part) -> Value {
        match part {
            Part::Text(text) => json!({ "type": "text", "content": text }),
            Part::Reasoning(text) => json!({ "type": "reasoning", "content": text }),
            Part::ToolCall { id, name, arguments } => json!({
                "type": "tool_call", "id": id, "name": name, "arguments": json_or_text(arguments),
            }),
            Part::ToolResult { id, result } => json!({
                "type": "tool_call_response", "id": id, "response": json_or_text(result),
            }),
            Part::Other(part_type) => json!({ "type": part_type }),
        }
    }

    fn json_or_text(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
    }
}

#[cfg(feature = "sdk")]
pub(crate) use to_json::{instructions, messages};

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of members is that of a feature of serde_json, which other crates may enable.
    fn parsed(text: &str) -> serde_json::Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn messages_have_the_form_of_the_conventions() {
        let all = [
            Message::user("How warm?").other_part("image"),
            Message::new("assistant")
                .reasoning("A tool.")
                .tool_call("c1", "weather", r#"{"city":"Bonn"}"#)
                .finish_reason("tool_calls"),
            Message::tool_result("c1", "14 °C"),
        ];
        let expected = serde_json::json!([
            { "role": "user", "parts": [
                { "type": "text", "content": "How warm?" }, { "type": "image" },
            ] },
            { "role": "assistant", "finish_reason": "tool_calls", "parts": [
                { "type": "reasoning", "content": "A tool." },
                {
                    "type": "tool_call", "id": "c1", "name": "weather",
                    "arguments": { "city": "Bonn" },
                },
            ] },
            { "role": "tool", "parts": [
                { "type": "tool_call_response", "id": "c1", "response": "14 °C" },
            ] },
        ]);
        assert_eq!(parsed(&messages(&all)), expected);
        let expected = serde_json::json!([{ "type": "text", "content": "Be brief." }]);
        assert_eq!(parsed(&instructions("Be brief.")), expected);
    }
}
