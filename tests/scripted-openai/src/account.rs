//! Tokens of one reply, and the sums of the server.

use serde_json::{Value, json};

/// Tokens of one reply, as the API reports them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the completion, reasoning included. 0 for embeddings.
    pub output: u64,
    /// Tokens of the prompt that came from the provider's cache, a part of `input`.
    pub cached: u64,
    /// Tokens of hidden reasoning, a part of `output`.
    pub reasoning: u64,
}

impl Usage {
    pub(crate) fn of_chat(self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": { "cached_tokens": self.cached, "audio_tokens": 0 },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }

    pub(crate) fn of_embeddings(self) -> Value {
        json!({ "prompt_tokens": self.input, "total_tokens": self.input })
    }
}

/// Calls and tokens that the server has served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// All calls, failed ones included.
    pub calls: u64,
    /// Calls that were replied to by an error status, or whose reply was cut or reset.
    pub failed: u64,
    /// Sum over the other calls. Streams count in full when they begin, also if the client does not
    /// read them to their end: so does a provider's bill.
    pub usage: Usage,
}

impl Account {
    pub(crate) fn add(&mut self, usage: Option<Usage>) {
        self.calls += 1;
        match usage {
            None => self.failed += 1,
            Some(usage) => {
                self.usage.input += usage.input;
                self.usage.output += usage.output;
                self.usage.cached += usage.cached;
                self.usage.reasoning += usage.reasoning;
            }
        }
    }
}
