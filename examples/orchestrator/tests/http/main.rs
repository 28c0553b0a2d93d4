//! HTTP and command line of the orchestrator: Grafana, chats, a terminal, invalid requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod admission;
mod agents;
mod auth;
mod bench;
mod chat;
mod cli;
mod deliver;
mod hostile;
mod live;
mod notifier;
mod parsing;
mod readme;
mod recorded;
mod screenshots;
mod server;
mod slow_clients;
mod spans;
mod templates;
mod webhook;
