//! The orchestrator as a process: real HTTP, a real database file, a real OTLP receiver, and whatever may go wrong.

mod api;
mod approvals;
mod durable;
mod seen;
mod server;
mod startup;
mod traces;
