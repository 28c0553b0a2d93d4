//! A request, as the script and the test see it.

use hyper::HeaderMap;
use serde_json::Value;

/// Endpoint of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/embeddings`.
    Embeddings,
}

/// One request to the server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// Number of the call, from 1.
    pub number: usize,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The headers, names in lower case.
    pub headers: HeaderMap,
    /// The body.
    pub body: Value,
}

impl Call {
    /// Returns the requested model, empty if the request has none.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// Reports whether a stream is requested.
    pub fn is_stream(&self) -> bool {
        self.body["stream"] == true
    }

    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the messages of a chat.
    pub fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns the text of the last message with that role, text parts joined, or an empty text.
    pub fn last(&self, role: &str) -> String {
        let mut messages = self.messages().iter().rev();
        messages.find(|message| message["role"] == role).map(text).unwrap_or_default()
    }

    /// Returns how many messages have that role.
    pub fn count(&self, role: &str) -> usize {
        self.messages().iter().filter(|message| message["role"] == role).count()
    }

    /// Returns the names of the tools that the request offers.
    pub fn tools(&self) -> Vec<&str> {
        let tools = self.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
        tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect()
    }

    /// Words of the prompt: the usage of a reply that states none.
    pub(crate) fn words(&self) -> u64 {
        let prompt = match self.endpoint {
            Endpoint::Chat => self.messages().iter().map(|message| words(&text(message))).sum(),
            Endpoint::Embeddings => self.inputs().iter().map(|input| words(input)).sum(),
        };
        u64::max(prompt, 1)
    }

    /// Texts of an embeddings request.
    pub(crate) fn inputs(&self) -> Vec<&str> {
        match &self.body["input"] {
            Value::String(text) => vec![text],
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Rejects what OpenAI rejects as well and a client is likely to get wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.model().is_empty() {
            return Err("you must provide a model parameter".to_owned());
        }
        match self.endpoint {
            Endpoint::Embeddings if self.inputs().is_empty() => {
                Err("`input` must be a text or a list of texts".to_owned())
            }
            Endpoint::Embeddings if self.body["encoding_format"] == "base64" => {
                Err("`encoding_format` base64 is not served: set float".to_owned())
            }
            Endpoint::Embeddings => Ok(()),
            Endpoint::Chat if self.messages().is_empty() => {
                Err("`messages` must be a list with at least one message".to_owned())
            }
            Endpoint::Chat => self.check_tool_results(),
        }
    }

    /// Checks that each result of a tool belongs to a call of it further up.
    fn check_tool_results(&self) -> Result<(), String> {
        let mut called = Vec::new();
        for message in self.messages() {
            let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
            called.extend(calls.iter().filter_map(|call| call["id"].as_str()));
            if message["role"] == "tool" {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !called.contains(&id) {
                    return Err(format!("no tool call has the `tool_call_id` `{id}`"));
                }
            }
        }
        Ok(())
    }
}

/// Text of a message: a string, or its text parts.
fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

pub(crate) fn words(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}
