//! An OpenAI-compatible server on loopback whose replies are a script.
//!
//! The example `assistant` runs against it without a network, and the tests of the integrations use
//! it as their test double. It serves `/v1/chat/completions`, plain and streamed, and
//! `/v1/embeddings` on a free port. Each reply is [text, tool calls, embeddings](Reply) or a fault;
//! it can be slow. The server records its [calls](Server::calls) and keeps an
//! [account](Server::account) of calls and tokens, to compare with what the client's telemetry
//! reports.
//!
//! Replies are deterministic: ids count up, and a reply without [`Reply::usage`] reports a usage
//! that follows from the text, a token per word.
//!
//! ```
//! use scripted_openai::{Reply, Server, Usage};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let server = Server::replies([
//!     Reply::tool_call("read_file", r#"{"path":"notes.md"}"#),
//!     Reply::text("Two notes.").usage(Usage { input: 900, output: 3, cached: 512, reasoning: 0 }),
//! ])
//! .await?;
//! let base = server.url(); // OPENAI_BASE_URL of the client
//! assert!(base.starts_with("http://127.0.0.1:") && base.ends_with("/v1"));
//! assert_eq!(server.account().calls, 0);
//! # Ok(()) }
//! ```
//!
//! Several clients, or an agent whose calls depend on the conversation, need a rule in place of a
//! list: [`Server::start`] takes a function from [`Call`] to [`Reply`].

mod account;
mod body;
mod call;
mod connection;
mod handle;
mod reply;
mod server;

pub use crate::account::{Account, Usage};
pub use crate::call::{Call, Endpoint};
pub use crate::reply::Reply;
pub use crate::server::Server;
