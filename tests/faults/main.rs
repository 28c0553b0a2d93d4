//! Faults between a process and its Collector: one test per row of the table in
//! `docs/reliability.md`, over gRPC and HTTP, for all three signals.
//!
//! Counts are exact. Times are checked against three times the bar, because the machine is shared.
//! `just faults` builds with optimisation, runs one row after the other and checks the bar itself.
//! Tests that take minutes are ignored, run there only, and have a shortened version here.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests are the application: they start spans and build instruments"
)]

mod adversary;
mod backlog;
mod children;
mod endpoints;
mod exporter;
mod hostile_input;
mod instances;
mod memory;
mod outages;
mod refusals;
mod replies;
mod resets;
mod runtimes;
mod scrape;
mod settings;
mod support;
mod throughput;
