//! The orchestrator's edge, as its neighbours meet it: Grafana, chats, a terminal, a stranger.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod agents;
mod auth;
mod chat;
mod notifier;
mod parsing;
mod recorded;
