//! Test harness shared by all packages: an OTLP receiver and other peers, with polling instead of
//! sleeps.
//!
//! * [`receiver::Receiver`]: an OTLP receiver in this process that stores requests and injects
//!   scripted faults;
//! * [`proxy::Proxy`]: a TCP proxy that can stall, drop or reset connections;
//! * [`program::Program`]: a telemetry instance with a record of the items it emitted;
//! * [`process::Process`]: a child process that is killed when dropped;
//! * [`postgres::Cluster`]: a throw-away PostgreSQL server;
//! * [`faketime`]: processes whose clock is wrong;
//! * [`example`]: runs of the small examples;
//! * [`poll`], [`ports`], [`http`], [`scrape`]: polling, ports, requests, Prometheus text.
//!
//! The harness runs on its own runtime: a test may block its thread, or run without a runtime.

#![expect(clippy::expect_used, clippy::panic, reason = "a failure of the harness fails the test")]

pub mod browser;
pub mod certificates;
pub mod example;
pub mod faketime;
pub mod http;
pub mod poll;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod program;
pub mod proxy;
pub mod receiver;
mod runtime;
pub mod scrape;

/// Compiles the code of the guide to the boundaries.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide-boundaries.md")]
mod guide_boundaries {}

/// Compiles the code of the guide to calls of models and tools.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide-gen-ai.md")]
mod guide_gen_ai {}

/// Compiles the code of the guide to durable engines.
#[cfg(doctest)]
#[doc = include_str!("../../docs/durable-engines.md")]
mod durable_engines {}

/// Compiles the code of the migration guide from `#[tracing::instrument]`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from-tracing-instrument.md")]
mod coming_from_tracing_instrument {}

/// Compiles the code of the migration guide from manual OpenTelemetry.
#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from-opentelemetry.md")]
mod coming_from_opentelemetry {}
