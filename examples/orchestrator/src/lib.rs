//! An orchestration server: workflows are graphs of nodes, a node calls an agent, a run survives the process.
//!
//! It exists to be read: everything that is no orchestration is a library's, and everything that is observed is
//! `hub_otel`'s. Start with [`domain`] (what a workflow is), then [`engine`] (how a run lives), then [`api`].

pub mod agents;
pub mod api;
mod cause;
pub mod cli;
pub mod clock;
pub mod domain;
pub mod engine;
pub mod security;
pub mod seed;
pub mod server;
pub mod store;
pub mod template;
pub mod webhook;
