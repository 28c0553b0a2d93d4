//! Calls of models and tools: facts that are known at their end, and what is recorded from them.
//!
//! ```text
//! unit of a call ────────────┐
//! span of another library ───┴─> facts ──> recorder ──> metrics
//!                                             └─ prices ──> cost
//! ```
//!
//! Counted are inference (`semconv::gen_ai::operation::INFERENCE`), embeddings, and executions of
//! tools. An `invoke_agent` span repeats the usage of the calls below
//! it and is not counted. Units are counted whether sampled or not, spans of other libraries if
//! the sampler records them.

pub(crate) mod content;
mod cost;
#[cfg(feature = "sdk")]
pub(crate) mod details;
mod facts;
#[cfg(feature = "sdk")]
pub(crate) mod foreign_span;
mod label_values;
pub(crate) mod message;
mod metrics;
#[cfg(feature = "cost")]
pub(crate) mod price_table;
pub(crate) mod prices;
pub(crate) mod recorder;
mod request;
mod usage;

pub use crate::gen_ai::content::ContentCapture;
pub(crate) use crate::gen_ai::facts::{InferenceFacts, Run, ToolFacts};
pub use crate::gen_ai::message::Message;
pub use crate::gen_ai::prices::{ModelCall, ModelPrice};
pub use crate::gen_ai::request::LlmRequest;
pub use crate::gen_ai::usage::Usage;
