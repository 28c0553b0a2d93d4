//! Calls of a model by OpenAI's chat completions: the unit of each call, its usage, its retries.

use crate::error::AssistantError;
use futures_util::Stream;
use futures_util::stream;
use hub_otel::{Usage, current, instrument_llm};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// Attempts of a call that is rejected for now.
const ATTEMPTS: u32 = 3;

pub(crate) struct OpenAi {
    http: reqwest::Client,
    url: String,
    key: String,
    pub(crate) model: String,
}

impl OpenAi {
    pub(crate) fn new(url: String, key: &str, model: &str) -> Self {
        Self { http: reqwest::Client::new(), url, key: key.to_owned(), model: model.to_owned() }
    }

    async fn post(&self, body: &Value) -> Result<reqwest::Response, AssistantError> {
        let request = self.http.post(format!("{}/chat/completions", self.url));
        let response = request.bearer_auth(&self.key).json(body).send().await?;
        if response.status() == 429 {
            return Err(AssistantError::RateLimited);
        }
        Ok(response.error_for_status()?)
    }

    /// One call. The reply is complete when it returns.
    #[instrument_llm(provider = "openai", model = self.model)]
    pub(crate) async fn chat(&self, messages: &[Value]) -> Result<String, AssistantError> {
        let body = json!({ "model": self.model, "messages": messages });
        let reply: Value = self.post(&body).await?.json().await?;
        record(&reply);
        let text = reply["choices"][0]["message"]["content"].as_str();
        text.map(str::to_owned).ok_or(AssistantError::Protocol("content"))
    }

    /// One streamed call: the unit starts with the first poll and ends with the stream.
    #[instrument_llm(provider = "openai", model = self.model)]
    pub(crate) fn stream(
        &self,
        messages: &[Value],
        tools: &Value,
    ) -> impl Stream<Item = Result<Value, AssistantError>> {
        let body = json!({
            "model": self.model,
            "messages": messages,
            "tools": tools,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        stream::try_unfold(Reading::Request(body), async |reading| {
            let mut events = match reading {
                Reading::Request(body) => Events::of(self.post(&body).await?),
                Reading::Events(events) => events,
            };
            let Some(event) = events.next().await? else { return Ok(None) };
            record(&event);
            Ok(Some((event, Reading::Events(events))))
        })
    }
}

enum Reading {
    Request(Value),
    Events(Events),
}

/// Server-sent events of a response.
struct Events {
    response: reqwest::Response,
    unread: Vec<u8>,
    complete: VecDeque<Value>,
}

impl Events {
    fn of(response: reqwest::Response) -> Self {
        Self { response, unread: Vec::new(), complete: VecDeque::new() }
    }

    /// Returns the next event, `None` after the end mark.
    async fn next(&mut self) -> Result<Option<Value>, AssistantError> {
        loop {
            if let Some(event) = self.complete.pop_front() {
                return Ok(Some(event).filter(|event| !event.is_null()));
            }
            let bytes = self.response.chunk().await?.ok_or(AssistantError::Protocol("end mark"))?;
            self.unread.extend_from_slice(&bytes);
            while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                let data = event.strip_prefix(b"data: ").unwrap_or(&event);
                // The end mark is not JSON: it becomes null.
                self.complete.push_back(serde_json::from_slice(data).unwrap_or_default());
            }
        }
    }
}

/// Records what a reply, or an event of a stream, reports of its call.
fn record(reply: &Value) {
    let unit = current();
    let model = reply["model"].as_str();
    unit.response(model, reply["id"].as_str(), reply["choices"][0]["finish_reason"].as_str());
    let usage = &reply["usage"];
    if let (Some(input), Some(output)) =
        (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64())
    {
        let mut tokens = Usage::new(input, output);
        tokens.cache_read = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
        tokens.reasoning = usage["completion_tokens_details"]["reasoning_tokens"].as_u64();
        unit.usage(tokens);
    }
}

/// Calls again, up to three times, while the provider rejects the call for now. Each call is a span
/// of its own; the agent counts the retries.
pub(crate) async fn with_retries<T>(
    mut call: impl AsyncFnMut() -> Result<T, AssistantError>,
) -> Result<T, AssistantError> {
    for attempt in 1..ATTEMPTS {
        match call().await {
            Err(error) if error.is_temporary() => {
                let delay = Duration::from_millis(50 * u64::from(attempt));
                current().record_retry_after("rate_limited", delay);
                tokio::time::sleep(delay).await;
            }
            result => return result,
        }
    }
    call().await
}
