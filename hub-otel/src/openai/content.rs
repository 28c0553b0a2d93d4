//! Content of a request and of its response, in the form of the GenAI conventions. Read only with
//! the consent to it.

use crate::gen_ai::Message;
use crate::gen_ai::content::MAX_CONTENT_BYTES;
use crate::semconv::gen_ai::role;
use crate::text::bounded::cut;
use crate::unit::current::Current;
use serde_json::Value;
use std::collections::BTreeMap;

/// The limit of the choices of a response, and of the calls of tools in one.
const MAX_ITEMS: usize = 128;

/// Records instructions and messages of a request: of the chat, completion or responses API.
pub(super) fn record_request(body: &[u8], call: &Current) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    if let Some(instructions) = body["instructions"].as_str() {
        call.system_instructions(instructions);
    }
    let messages: Vec<Message> = match (&body["messages"], &body["input"], &body["prompt"]) {
        (Value::Array(messages), ..) => messages.iter().map(message).collect(),
        // The input of embeddings is documents, not messages.
        (_, Value::String(text), _) if body["encoding_format"].is_null() => {
            vec![Message::user(text.as_str())]
        }
        (_, Value::Array(items), _) if items.iter().all(Value::is_object) => {
            items.iter().map(item).collect()
        }
        (.., Value::String(prompt)) => vec![Message::user(prompt.as_str())],
        _ => return,
    };
    call.input_messages(messages);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the calls of tools in a message of the chat API.
fn tool_calls(message: &Value) -> impl Iterator<Item = &Value> {
    message.pointer("/tool_calls").and_then(Value::as_array).into_iter().flatten()
}

/// Returns a message of the chat API.
fn message(json: &Value) -> Message {
    let role = text(&json["role"]);
    if role == role::TOOL {
        return Message::tool_result(text(&json["tool_call_id"]), content_text(&json["content"]));
    }
    let mut message = with_content(Message::new(role.to_owned()), &json["content"]);
    for call in tool_calls(json) {
        let function = &call["function"];
        let (name, arguments) = (text(&function["name"]), text(&function["arguments"]));
        message = message.tool_call(text(&call["id"]), name, arguments);
    }
    message
}

/// Returns an item of the input or the output of the responses API.
fn item(json: &Value) -> Message {
    match text(&json["type"]) {
        "function_call" => Message::new(role::ASSISTANT).tool_call(
            text(&json["call_id"]),
            text(&json["name"]),
            text(&json["arguments"]),
        ),
        "function_call_output" => {
            Message::tool_result(text(&json["call_id"]), content_text(&json["output"]))
        }
        "" | "message" => {
            with_content(Message::new(text(&json["role"]).to_owned()), &json["content"])
        }
        other => Message::new(role::ASSISTANT).other_part(other),
    }
}

/// Adds text, or parts of which the texts are kept.
fn with_content(message: Message, content: &Value) -> Message {
    match content {
        Value::String(text) => message.text(text.as_str()),
        Value::Array(parts) => parts.iter().fold(message, |message, part| match &part["text"] {
            Value::String(text) => message.text(text.as_str()),
            _ => message.other_part(text(&part["type"])),
        }),
        _ => message,
    }
}

fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The messages of a response so far: as a whole, or from the parts of a stream.
#[derive(Debug, Default)]
pub(super) struct Output {
    choices: BTreeMap<u64, Choice>,
    /// Of the responses API, whose last event has all of them.
    items: Vec<Message>,
}

#[derive(Debug, Default)]
struct Choice {
    text: Option<String>,
    reasoning: Option<String>,
    calls: BTreeMap<u64, ToolCall>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default)]
struct ToolCall {
    id: String,
    name: String,
    arguments: String,
}

impl Output {
    /// Adds a body, or an event of a stream.
    pub(super) fn add(&mut self, json: &[u8]) {
        let Ok(json) = serde_json::from_slice::<Value>(json) else { return };
        let response = if json["response"].is_object() { &json["response"] } else { &json };
        if let Value::Array(items) = &response["output"]
            && !items.is_empty()
        {
            self.items = items.iter().take(MAX_ITEMS).map(item).collect();
        }
        for (position, choice) in json["choices"].as_array().into_iter().flatten().enumerate() {
            let index = choice["index"].as_u64().unwrap_or(position as u64);
            if self.choices.len() < MAX_ITEMS || self.choices.contains_key(&index) {
                self.choices.entry(index).or_default().add(choice);
            }
        }
    }

    /// Records the messages.
    pub(super) fn record(self, call: &Current) {
        let choices = self.choices.into_values().map(Choice::into_message);
        let messages: Vec<Message> = choices.chain(self.items).collect();
        if !messages.is_empty() {
            call.output_messages(messages);
        }
    }
}

impl Choice {
    fn add(&mut self, json: &Value) {
        let message = if json["delta"].is_object() { &json["delta"] } else { &json["message"] };
        for part in [&message["content"], &json["text"]] {
            append(&mut self.text, part);
        }
        append(&mut self.reasoning, &message["reasoning_content"]);
        let calls = tool_calls(message);
        for (position, call) in calls.enumerate() {
            let index = call["index"].as_u64().unwrap_or(position as u64);
            if self.calls.len() < MAX_ITEMS || self.calls.contains_key(&index) {
                let known = self.calls.entry(index).or_default();
                let function = &call["function"];
                push(&mut known.id, text(&call["id"]));
                push(&mut known.name, text(&function["name"]));
                push(&mut known.arguments, text(&function["arguments"]));
            }
        }
        if let Some(reason) = json["finish_reason"].as_str() {
            self.finish_reason = Some(reason.to_owned());
        }
    }

    fn into_message(self) -> Message {
        let mut message = Message::new(role::ASSISTANT);
        if let Some(reasoning) = self.reasoning {
            message = message.reasoning(reasoning);
        }
        if let Some(text) = self.text {
            message = message.text(text);
        }
        for call in self.calls.into_values() {
            message = message.tool_call(call.id, call.name, call.arguments);
        }
        match self.finish_reason {
            Some(reason) => message.finish_reason(reason),
            None => message,
        }
    }
}

fn append(text: &mut Option<String>, part: &Value) {
    if let Some(part) = part.as_str().filter(|part| !part.is_empty()) {
        push(text.get_or_insert_default(), part);
    }
}

/// Appends up to twice what is recorded: the attribute states that it was cut.
fn push(text: &mut String, part: &str) {
    let room = (2 * MAX_CONTENT_BYTES).saturating_sub(text.len());
    text.push_str(cut(part, room));
}
