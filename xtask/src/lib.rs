//! What is generated from the telemetry contract: the reference for readers, and what reads the telemetry.
//!
//! Dashboards, recording rules and alerts are built from one set of definitions on [`hub_otel::semconv`], so that a
//! renamed metric cannot leave a panel empty: the generator does not compile, or `--check` fails. It writes files and
//! talks to nothing.

pub mod api;
pub mod docs;
pub mod figures;
pub mod files;
pub mod promql;
pub mod stack;
