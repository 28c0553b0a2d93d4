//! HTTP and command line of the orchestrator: Grafana, chats, a terminal, invalid requests.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod admission;
mod agents;
mod auth;
mod bench;
mod chat;
mod cli;
mod deliver;
mod hostile;
mod notifier;
mod parsing;
mod readme;
mod rebinding;
mod recorded;
mod server;
mod slow_readers;
mod spans;
mod templates;
mod webhook;
