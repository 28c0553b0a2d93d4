//! OpenTelemetry for services that orchestrate agents and workflows.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod boundary;
pub mod contract;
#[cfg(feature = "sqlx")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx")))]
pub mod db;
#[cfg(any(feature = "axum", feature = "reqwest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "axum", feature = "reqwest"))))]
pub mod http;
mod init;
mod instance;
mod metrics;
#[cfg(feature = "process")]
mod process;

pub use init::{
    Builder, Compression, Config, Exporter, InitError, Protocol, Report, Sensitive, Signal, SignalReport,
    Telemetry, TelemetryStatus, builder, init, shutdown_signal,
};

pub use hub_otel_macros::{instrument_agent, instrument_workflow};
