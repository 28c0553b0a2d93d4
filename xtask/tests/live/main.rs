//! The stack alive: the shipped files on the real Collector, Prometheus and Alertmanager, with the orchestrator's binary.
//!
//! `just stack-live` builds what is needed and runs them all at once: most of their time is waiting. Tempo, Loki and
//! Grafana are not here: an OTLP receiver stands in for the first two, and every panel's query is asked of Prometheus, as
//! Grafana would ask it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod agreement;
mod alerts;
mod api;
mod exemplars;
mod ledger;
mod load;
mod memory;
mod panels;
mod passing;
mod prometheus;
mod query;
mod recorded;
mod stack;
mod webhook;
