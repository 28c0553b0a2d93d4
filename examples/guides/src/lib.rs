//! Programs that use a framework under hub-otel, one per file in `src/bin`. Each runs against
//! `OPENAI_BASE_URL`, or without it against a scripted server on loopback.

pub mod mcp;

use scripted_openai::{Reply, Server};
use std::io;

/// Model of all programs.
pub const MODEL: &str = "gpt-4o-mini";

/// An OpenAI-compatible API.
pub struct Api {
    /// Base URL, with `/v1`.
    pub url: String,
    /// Key.
    pub key: String,
    _server: Option<Server>,
}

impl Api {
    /// Takes `OPENAI_BASE_URL` and `OPENAI_API_KEY`, or starts a server with these replies.
    pub async fn from_env_or(replies: Vec<Reply>) -> io::Result<Self> {
        let key = std::env::var("OPENAI_API_KEY").unwrap_or_else(|_| "scripted".to_owned());
        if let Ok(url) = std::env::var("OPENAI_BASE_URL") {
            return Ok(Self { url, key, _server: None });
        }
        let server = Server::replies(replies).await?;
        Ok(Self { url: server.url(), key, _server: Some(server) })
    }
}

/// Replies of the scripted server, per program. Calls of a program come one after another.
pub mod script {
    use scripted_openai::{Reply, Usage};

    const fn usage(input: u64, output: u64, cached: u64, reasoning: u64) -> Usage {
        Usage { input, output, cached, reasoning }
    }

    /// A tool call, the reply that follows from its result, and a stream.
    pub fn rig() -> Vec<Reply> {
        vec![
            Reply::tool_call("wingspan", r#"{"bird":"heron"}"#).usage(usage(120, 18, 0, 0)),
            Reply::text("About 1.9 m.").usage(usage(160, 9, 128, 0)),
            Reply::text("Fish and frogs.").usage(usage(90, 7, 0, 4)),
        ]
    }

    /// A reply, a stream, and a rate limit.
    pub fn genai() -> Vec<Reply> {
        vec![
            Reply::text("About 1.9 m.").usage(usage(40, 9, 32, 0)),
            Reply::text("Fish and frogs.").usage(usage(30, 7, 0, 4)),
            Reply::status(429, "rate limit"),
        ]
    }
}
