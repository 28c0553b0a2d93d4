//! Parameters of a request to a model.

use crate::semconv::gen_ai as g;
use crate::semconv::kv;
use crate::shared_str::share_str;
use opentelemetry::{Array, KeyValue, Value};

/// Parameters of a request to a model, as attributes of the call's span.
///
/// Recorded by [`Current::request`](crate::Current::request) or
/// [`Llm::request`](crate::Unit::request). A parameter that is not set is not recorded.
///
/// ```
/// use hub_otel::LlmRequest;
///
/// # fn complete() -> Result<String, std::io::Error> { Ok(String::new()) }
/// # fn example() -> Result<String, std::io::Error> {
/// let request = LlmRequest::new().temperature(0.2).max_tokens(512).stop_sequences(["\n\n"]);
/// hub_otel::llm("openai", "gpt-4o").request(request).call(complete)
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "pass it to `request`"]
pub struct LlmRequest {
    attributes: Vec<KeyValue>,
}

impl LlmRequest {
    /// Creates a request without parameters.
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(kv(key, value));
        self
    }

    fn set_all<S: AsRef<str>>(self, key: &'static str, texts: impl IntoIterator<Item = S>) -> Self {
        let texts = texts.into_iter().map(|text| share_str(text.as_ref())).collect();
        self.set(key, Value::Array(Array::String(texts)))
    }

    /// Sets the sampling temperature.
    pub fn temperature(self, temperature: impl Into<f64>) -> Self {
        self.set(g::REQUEST_TEMPERATURE, temperature.into())
    }

    /// Sets the share of the probability that tokens are sampled from, from 0 to 1.
    pub fn top_p(self, share: impl Into<f64>) -> Self {
        self.set(g::REQUEST_TOP_P, share.into())
    }

    /// Sets the number of tokens that are sampled from.
    pub fn top_k(self, tokens: impl Into<f64>) -> Self {
        self.set(g::REQUEST_TOP_K, tokens.into())
    }

    /// Sets the largest number of tokens to generate.
    pub fn max_tokens(self, tokens: u64) -> Self {
        self.set(g::REQUEST_MAX_TOKENS, to_i64(tokens))
    }

    /// Sets the penalty for frequent tokens.
    pub fn frequency_penalty(self, penalty: impl Into<f64>) -> Self {
        self.set(g::REQUEST_FREQUENCY_PENALTY, penalty.into())
    }

    /// Sets the penalty for tokens that occurred.
    pub fn presence_penalty(self, penalty: impl Into<f64>) -> Self {
        self.set(g::REQUEST_PRESENCE_PENALTY, penalty.into())
    }

    /// Sets the seed of the sampling.
    pub fn seed(self, seed: i64) -> Self {
        self.set(g::REQUEST_SEED, seed)
    }

    /// Sets the number of responses to generate. 1 is the default of every provider and is not
    /// recorded.
    pub fn choice_count(self, count: u64) -> Self {
        if count == 1 { self } else { self.set(g::REQUEST_CHOICE_COUNT, to_i64(count)) }
    }

    /// Sets the sequences that end the generation.
    pub fn stop_sequences<S: AsRef<str>>(self, sequences: impl IntoIterator<Item = S>) -> Self {
        self.set_all(g::REQUEST_STOP_SEQUENCES, sequences)
    }

    /// Sets the type of the requested output: `text`, `json`, `image` or `speech`.
    pub fn output_type(self, output: impl AsRef<str>) -> Self {
        self.set(g::OUTPUT_TYPE, share_str(output.as_ref()))
    }

    /// Sets whether the response is streamed. Not needed for a unit that is a stream.
    pub fn stream(self, on: bool) -> Self {
        self.set(g::REQUEST_STREAM, on)
    }

    /// Sets the dimensions of the requested embeddings.
    pub fn dimensions(self, count: u64) -> Self {
        self.set(g::EMBEDDINGS_DIMENSION_COUNT, to_i64(count))
    }

    /// Sets the encodings of the requested embeddings.
    pub fn encoding_formats<S: AsRef<str>>(self, formats: impl IntoIterator<Item = S>) -> Self {
        self.set_all(g::REQUEST_ENCODING_FORMATS, formats)
    }

    pub(crate) fn into_attributes(self) -> Vec<KeyValue> {
        self.attributes
    }
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
