//! Facts of a response, from one JSON value: the body, or an event of a stream.

use crate::gen_ai::Usage;
use crate::semconv::error_type;
use crate::semconv::gen_ai::{self as g, FINAL_STATUSES};
use crate::unit::current::Current;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// The limit of the characters of an error's identifier.
const MAX_ERROR_TYPE: usize = 64;
/// The limit of choices.
const MAX_CHOICES: usize = 128;

/// The types of the last events of the responses API.
const LAST_EVENTS: [&str; 4] =
    ["response.completed", "response.incomplete", "response.failed", "error"];

/// A body of the chat, completion and embeddings APIs, a chunk of their streams, a body of the
/// responses API, or an event of its stream. Everything else in it is skipped, not kept.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Message {
    id: Value,
    model: Value,
    choices: Vec<Choice>,
    usage: Value,
    error: Value,
    /// Of the responses API.
    status: Value,
    service_tier: Value,
    system_fingerprint: Value,
    /// Of an event of the responses API.
    r#type: Value,
    response: Option<Box<Message>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Choice {
    index: usize,
    finish_reason: Value,
}

/// The end of the call, as far as a message shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// No message with facts follows.
    pub(super) is_last: bool,
    pub(super) error_type: Option<Cow<'static, str>>,
}

/// The facts so far, which are recorded when they change.
#[derive(Debug, Default)]
pub(super) struct Facts {
    id: Option<String>,
    model: Option<String>,
    /// One per choice.
    finish_reasons: Vec<String>,
    service_tier: Option<String>,
    system_fingerprint: Option<String>,
}

impl Facts {
    /// Records the facts of `json` on `call`. Text that is no JSON has none.
    pub(super) fn record(&mut self, json: &[u8], call: &Current) -> Seen {
        let Ok(mut message) = serde_json::from_slice::<Message>(json) else {
            return Seen::default();
        };
        let is_last = message.r#type.as_str().is_some_and(|kind| LAST_EVENTS.contains(&kind));
        let mut error = std::mem::take(&mut message.error);
        // The facts of an event of the responses API are in its response.
        if let Some(response) = message.response.take() {
            message = *response;
            if error.is_null() {
                error = std::mem::take(&mut message.error);
            }
        }
        self.record_response(&message, call);
        self.record_environment(&message, call);
        if let Some(usage) = usage_of(&message.usage) {
            call.usage(usage);
        }
        if let Some(dollars) = cost_of(&message.usage) {
            call.reported_cost(dollars);
        }
        Seen { is_last, error_type: error_type_of(&error) }
    }

    fn record_response(&mut self, message: &Message, call: &Current) {
        let mut has_changed = false;
        for (fact, value) in [(&mut self.id, &message.id), (&mut self.model, &message.model)] {
            // A stream repeats them in each chunk.
            if let (None, Some(text)) = (&fact, value.as_str()) {
                *fact = Some(text.to_owned());
                has_changed = true;
            }
        }
        for choice in &message.choices {
            if let Some(reason) = choice.finish_reason.as_str()
                && choice.index < MAX_CHOICES
            {
                if self.finish_reasons.len() <= choice.index {
                    self.finish_reasons.resize(choice.index + 1, String::new());
                }
                reason.clone_into(&mut self.finish_reasons[choice.index]);
                has_changed = true;
            }
        }
        // The responses API has a status in place of reasons.
        if let (Some(status), []) = (message.status.as_str(), &message.choices[..])
            && FINAL_STATUSES.contains(&status)
        {
            self.finish_reasons = vec![status.to_owned()];
            has_changed = true;
        }
        if has_changed {
            let reasons = self.finish_reasons.iter().filter(|reason| !reason.is_empty());
            call.response(self.model.as_deref(), self.id.as_deref(), reasons);
        }
    }

    /// Records the service tier and the version of the environment, which a stream repeats in each
    /// chunk. The responses API reports the tier that was requested first, then the one in use.
    fn record_environment(&mut self, message: &Message, call: &Current) {
        for (key, fact, value) in [
            (g::OPENAI_RESPONSE_SERVICE_TIER, &mut self.service_tier, &message.service_tier),
            (
                g::OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
                &mut self.system_fingerprint,
                &message.system_fingerprint,
            ),
        ] {
            if let Some(text) = value.as_str()
                && fact.as_deref() != Some(text)
            {
                call.record(key, text);
                *fact = Some(text.to_owned());
            }
        }
    }
}

/// Returns the usage in the form of either API. `None` if there is none.
fn usage_of(usage: &Value) -> Option<Usage> {
    let tokens = |names: &[&str]| names.iter().find_map(|name| usage.pointer(name)?.as_u64());
    let found = Usage {
        input: tokens(&["/prompt_tokens", "/input_tokens"]),
        output: tokens(&["/completion_tokens", "/output_tokens"]),
        cache_read: tokens(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
        ]),
        cache_write: None,
        reasoning: tokens(&[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
        ]),
    };
    (found != Usage::default()).then_some(found)
}

/// Returns the cost in US dollars, as OpenRouter reports it. `None` if there is none.
fn cost_of(usage: &Value) -> Option<f64> {
    usage.get("cost")?.as_f64().filter(|dollars| *dollars >= 0.0)
}

/// Returns the code or the type of an error, if it is an identifier.
fn error_type_of(error: &Value) -> Option<Cow<'static, str>> {
    if error.is_null() {
        return None;
    }
    let is_identifier = |text: &&str| {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (1..=MAX_ERROR_TYPE).contains(&text.len()) && text.chars().all(valid)
    };
    let text = ["code", "type"]
        .into_iter()
        .find_map(|name| error.get(name)?.as_str().filter(is_identifier));
    Some(text.map_or(Cow::Borrowed(error_type::OTHER), |text| Cow::Owned(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn usage_has_either_form() {
        let chat = json!({
            "prompt_tokens": 9, "completion_tokens": 3,
            "prompt_tokens_details": { "cached_tokens": 4 },
            "completion_tokens_details": { "reasoning_tokens": 2 },
        });
        let responses = json!({
            "input_tokens": 9, "output_tokens": 3,
            "input_tokens_details": { "cached_tokens": 4 },
            "output_tokens_details": { "reasoning_tokens": 2 },
        });
        let expected = Usage::new(9, 3).cache_read(4).reasoning(2);
        assert_eq!(usage_of(&chat), Some(expected));
        assert_eq!(usage_of(&responses), Some(expected));
        assert_eq!(usage_of(&json!({ "prompt_tokens": "many" })), None);
        assert_eq!(usage_of(&Value::Null), None);
    }

    #[test]
    fn a_cost_is_a_number_that_is_not_negative() {
        assert_eq!(cost_of(&json!({ "cost": 0.000_42 })), Some(0.000_42));
        assert_eq!(cost_of(&json!({ "cost": 0 })), Some(0.0));
        for usage in [json!({ "cost": -1 }), json!({ "cost": "1" }), json!({}), Value::Null] {
            assert_eq!(cost_of(&usage), None, "{usage}");
        }
    }

    #[test]
    fn the_type_of_an_error_is_an_identifier() {
        for (error, expected) in [
            (json!({ "code": "rate_limit_exceeded", "type": "tokens" }), "rate_limit_exceeded"),
            (json!({ "code": null, "type": "server_error" }), "server_error"),
            (json!({ "code": "Key sk-123 is wrong" }), "_OTHER"),
            (json!("failed"), "_OTHER"),
        ] {
            assert_eq!(error_type_of(&error).as_deref(), Some(expected));
        }
        assert_eq!(error_type_of(&Value::Null), None);
    }

    #[test]
    fn the_last_event_of_the_responses_api_ends_the_call() {
        let mut facts = Facts::default();
        let mut record =
            |json: &Value| facts.record(json.to_string().as_bytes(), &crate::current());
        let delta = json!({ "type": "response.output_text.delta", "delta": "hello" });
        assert_eq!(record(&delta), Seen::default());
        let failed = json!({
            "type": "response.failed",
            "response": { "id": "r-1", "error": { "code": "server_error" } },
        });
        let error_type = Some("server_error".into());
        assert_eq!(record(&failed), Seen { is_last: true, error_type });
        assert_eq!(facts.id.as_deref(), Some("r-1"));
    }
}
