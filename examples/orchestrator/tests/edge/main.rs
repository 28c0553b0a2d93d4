//! The orchestrator's edge, as its neighbours meet it: Grafana, chats, a terminal, a stranger.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod admission;
mod agents;
mod auth;
mod chat;
mod cli;
mod deliver;
mod hostile;
mod load;
mod notifier;
mod parsing;
mod readme;
mod recorded;
mod server;
mod spans;
mod templates;
mod webhook;
