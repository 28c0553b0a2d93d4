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
pub mod approval;
mod config;
#[cfg(feature = "sqlx")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx")))]
pub mod db;
mod error_type;
mod export;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx", feature = "process"))]
mod extensions;
#[cfg(any(feature = "axum", feature = "reqwest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "axum", feature = "reqwest"))))]
pub mod http;
mod instance;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "sqlx"))]
mod instrumentation;
mod label;
mod metrics;
mod options;
pub mod otel;
#[cfg(feature = "process")]
mod process;
pub mod propagation;
pub mod semconv;
mod shared_str;
mod status;
mod sync;
mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod unit;
mod unit_kind;

pub use crate::telemetry::{
    Compression, Config, Exporter, Health, InitError, Protocol, Report, Sensitive, Signal,
    SignalReport, Telemetry, TelemetryBuilder, init, shutdown_signal,
};

pub use crate::error_type::{ErrorType, TimedOut};
pub use crate::label::{Label, LabelValue};
pub use crate::status::UnitStatus;
pub use crate::unit::agent::{Agent, agent};
pub use crate::unit::current::{Current, current};
pub use crate::unit::outcome::Classification;
pub use crate::unit::segment::Segment;
pub use crate::unit::workflow::{Workflow, workflow};
pub use hub_otel_macros::ErrorType;
pub use hub_otel_macros::Label;
pub use hub_otel_macros::instrument_agent;
pub use hub_otel_macros::instrument_workflow;
