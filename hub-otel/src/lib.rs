//! OpenTelemetry for services that orchestrate agents and workflows.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod agent;
pub mod approval;
mod boundary;
pub mod context;
pub mod contract;
mod current;
#[cfg(feature = "sqlx")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx")))]
pub mod db;
mod declare;
mod error_type;
#[cfg(any(feature = "axum", feature = "reqwest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "axum", feature = "reqwest"))))]
pub mod http;
mod init;
mod instance;
mod label;
mod metrics;
pub mod otel;
#[cfg(feature = "process")]
mod process;
mod scope;
mod segment;
mod status;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod unit_builder;
pub mod workflow;

pub use init::{
    Builder, Compression, Config, Exporter, InitError, Protocol, Report, Sensitive, Signal, SignalReport,
    Telemetry, TelemetryStatus, builder, init, shutdown_signal,
};

pub use agent::{Agent, agent};
pub use current::{Current, current};
pub use error_type::{ErrorType, TimedOut};
pub use hub_otel_macros::{ErrorType, Label, instrument_agent, instrument_workflow};
pub use label::{Label, LabelValue};
pub use segment::Segment;
pub use status::Status;
pub use workflow::{Workflow, workflow};
