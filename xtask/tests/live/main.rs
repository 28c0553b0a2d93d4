//! Tests of the shipped files on the Collector, Prometheus and Alertmanager, with the
//! orchestrator's binary.
//!
//! `just stack-live` builds the programs and runs all tests concurrently, because they mostly
//! wait. Tempo and Loki are replaced by an OTLP receiver. Grafana is replaced by queries to
//! Prometheus with the same parameters.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agreement;
mod alerts;
mod api;
#[path = "../support/copied.rs"]
mod copied;
mod exemplars;
mod ledger;
mod load;
mod memory;
mod models;
mod panels;
mod passing;
mod percentiles;
mod permissive;
mod prometheus;
mod query;
mod recorded;
mod scale;
mod silent;
mod stack;
mod synthetic;
mod webhook;
