//! The orchestrator as a process: real HTTP, a real database file, a real OTLP receiver, and
//! failures of each.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by panicking"
)]

mod api;
mod approvals;
mod disk;
mod durable;
mod kill_nine;
mod races;
mod retention;
mod server;
mod startup;
mod trace_snapshot;
mod traces;
mod two_servers;
