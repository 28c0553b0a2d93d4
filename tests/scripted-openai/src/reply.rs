//! One reply of the script.

use crate::account::Usage;
use crate::call::{Call, Endpoint, words};
use std::time::Duration;

/// One reply: content or a fault, with its usage and its pace.
#[derive(Debug, Clone)]
#[must_use]
pub struct Reply {
    pub(crate) content: Content,
    pub(crate) usage: Option<Usage>,
    pub(crate) model: Option<String>,
    pub(crate) finish: Option<String>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) delay: Duration,
    pub(crate) pause: Duration,
    pub(crate) fault: Option<Fault>,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Message { text: String, tools: Vec<(String, String)> },
    Embeddings { dimensions: usize },
    Status { code: u16, message: String },
}

/// Fault of the transport, after a number of pieces of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) after: usize,
    pub(crate) reset: bool,
}

impl Reply {
    fn new(content: Content) -> Self {
        Self {
            content,
            usage: None,
            model: None,
            finish: None,
            retry_after: None,
            delay: Duration::ZERO,
            pause: Duration::ZERO,
            fault: None,
        }
    }

    /// A message of the assistant. A stream sends it word by word.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Message { text: text.into(), tools: Vec::new() })
    }

    /// A call of one tool, its arguments as JSON. The id is `call_N_1` for the server's call N.
    pub fn tool_call(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self::text("").and_tool_call(name, arguments)
    }

    /// Adds a tool call to the message; a second one is parallel to the first.
    ///
    /// # Panics
    /// If the reply is not a message.
    pub fn and_tool_call(mut self, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        match &mut self.content {
            Content::Message { tools, .. } => tools.push((name.into(), arguments.into())),
            #[expect(clippy::panic, reason = "a mistake in the script")]
            other => panic!("a tool call needs a message, not {other:?}"),
        }
        self
    }

    /// Embeddings of that size, one per input, each of length 1 and derived from its text.
    pub fn embeddings(dimensions: usize) -> Self {
        Self::new(Content::Embeddings { dimensions })
    }

    /// An error status with OpenAI's error body, for example 429 or 500.
    pub fn status(code: u16, message: impl Into<String>) -> Self {
        Self::new(Content::Status { code, message: message.into() })
    }

    /// A connection that is reset before anything is sent.
    pub fn reset() -> Self {
        Self::text("").reset_after(0)
    }

    /// Sets the reported usage. Default: a token per word.
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Sets the model of the response. Default: the requested one.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the finish reason. Default: `tool_calls` with tool calls, else `stop`.
    pub fn finish(mut self, reason: impl Into<String>) -> Self {
        self.finish = Some(reason.into());
        self
    }

    /// Sets the header `retry-after`, in seconds.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Waits before the head of the response.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits before each piece of a stream but the first, and in the middle of a plain body.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Ends the body after that many pieces, with an ordinary end of the connection. A stream has a
    /// piece per event, a plain body two halves.
    pub fn truncated_after(mut self, pieces: usize) -> Self {
        self.fault = Some(Fault { after: pieces, reset: false });
        self
    }

    /// Resets the connection after that many pieces of the body; before its head with 0.
    pub fn reset_after(mut self, pieces: usize) -> Self {
        self.fault = Some(Fault { after: pieces, reset: true });
        self
    }

    /// Tokens of this reply to that call.
    pub(crate) fn tokens(&self, call: &Call) -> Usage {
        self.usage.unwrap_or_else(|| {
            let output = match &self.content {
                Content::Message { text, tools } => {
                    words(text)
                        + tools
                            .iter()
                            .map(|(name, arguments)| words(name) + words(arguments))
                            .sum::<u64>()
                }
                _ => 0,
            };
            Usage { input: call.words(), output, ..Usage::default() }
        })
    }

    /// Usage to add to the account, `None` for a failed call.
    pub(crate) fn counted(&self, call: &Call) -> Option<Usage> {
        let failed = self.fault.is_some() || matches!(self.content, Content::Status { .. });
        (!failed).then(|| self.tokens(call))
    }

    /// Replaces a reply that does not fit its endpoint.
    pub(crate) fn fitted(self, call: &Call) -> Self {
        match (call.endpoint, &self.content) {
            (Endpoint::Chat, Content::Embeddings { .. })
            | (Endpoint::Embeddings, Content::Message { .. })
                if self.fault.is_none() =>
            {
                let found = &self.content;
                Self::status(500, format!("call {}: the script has {found:?}", call.number))
            }
            _ => self,
        }
    }
}
