//! Calls of OpenAI and of compatible servers: [`OpenAiLayer`], a tower layer for reqwest and
//! async-openai.
//!
//! Each request on the wire is a call of a model: a span `chat {model}` with model, usage and
//! finish reasons, and the metrics `gen_ai.client.*`. The layer reads them from the request and
//! from the bytes of the response while these pass: nothing is changed, held back or copied to a
//! buffer that grows with a stream. What it cannot read is missing on the span, and the call
//! continues.

mod body;
mod content;
mod exchange;
mod facts;
mod layer;
mod provider;
mod reader;
mod request;
mod sse;

pub use crate::openai::layer::{OpenAiClient, OpenAiFuture, OpenAiLayer, OpenAiService};
