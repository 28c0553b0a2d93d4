//! OpenTelemetry for services that orchestrate agents and workflows: annotate functions, get traces, metrics and logs.
//!
//! ```
//! #[hub_otel::instrument_workflow(trigger = "schedule")]
//! async fn nightly_report(customer: &str) -> Result<usize, std::io::Error> {
//!     let summary = summarise(customer).await?;
//!     Ok(summary.len())
//! }
//!
//! #[hub_otel::instrument_agent(action = "summarise", fields(customer))]
//! async fn summarise(customer: &str) -> Result<String, std::io::Error> {
//!     Ok(format!("nothing to report for {customer}"))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! nightly_report("acme").await?;
//! # Ok(()) })
//! # }
//! ```
//!
//! Without an SDK the annotated functions run as if nothing were written above them. [`init!`](macro@init) sets one up by the
//! standard environment variables and gives the guard, [`Telemetry`], whose [`shutdown`](Telemetry::shutdown) delivers
//! what is left and reports what was lost.
//!
//! | what | where |
//! |---|---|
//! | units of work | [`instrument_workflow`], [`instrument_agent`]; without macros [`workflow()`](fn@workflow) and [`agent()`](fn@agent) |
//! | facts that are known late | [`current`] |
//! | approvals, segments of a run, ends without a segment | [`approval`], [`Segment`], [`mod@workflow`] |
//! | contexts across processes | [`context`] |
//! | every name that is emitted | [`contract`] |
//! | OpenTelemetry's own types | [`otel`] |
//!
//! Telemetry never changes the program that it watches: same value, same panic, same drop order, no blocking, no
//! unbounded memory. What cannot be delivered is counted and said.
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
mod sync;
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
pub use scope::outcome::Closing;
pub use segment::Segment;
pub use status::Status;
pub use workflow::{Workflow, workflow};
