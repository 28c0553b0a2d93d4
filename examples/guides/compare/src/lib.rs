//! The same calls of each framework, and the spans that a pipeline exports of them.

pub mod by_tracing;
mod calls;
mod seen;

pub use calls::{Case, Kind, Work, by_async_openai, cases, rename};
pub use seen::{Seen, print};

/// Tokens that the scripted server reports per call.
pub const TOKENS: u64 = 40;
/// Model of all calls.
pub const MODEL: &str = "gpt-4o-mini";
