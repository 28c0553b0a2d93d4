//! Generates files from the telemetry contract: the telemetry reference, dashboards, recording
//! rules and alerts.
//!
//! The definitions use the names of [`hub_otel::semconv`]. If a metric is renamed, the generator
//! does not compile or `--check` fails, so that no panel or alert keeps the old name.

pub mod api;
pub mod docs;
pub mod figures;
pub mod files;
pub mod promql;
pub mod stack;
