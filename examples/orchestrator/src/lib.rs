//! An orchestration server: workflows are graphs of nodes, a node calls an agent, a run survives
//! the process.
//!
//! Start with [`domain`] (the types), then [`engine`] (the execution of runs), then [`api`].
//! Telemetry is `hub_otel`'s; the engine's part of it is in `engine/segment.rs`, `engine/node.rs`
//! and `engine/telemetry.rs`.

pub mod agents;
pub mod api;
pub mod cli;
pub mod clock;
pub mod domain;
pub mod engine;
pub mod error_text;
pub mod http;
pub mod security;
pub mod seed;
pub mod server;
pub mod store;
pub mod template;
pub mod terminal;
pub mod webhook;
