//! OpenTelemetry for services that orchestrate agents and workflows.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod contract;
mod instance;
mod metrics;

pub use hub_otel_macros::{instrument_agent, instrument_workflow};
