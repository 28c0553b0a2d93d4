//! OpenTelemetry for services that run agents and workflows.
//!
//! Annotated functions are *units*: each call is recorded as one span with exactly one outcome, and
//! counted in metrics with fixed names. Traces and logs are exported over OTLP, metrics over OTLP
//! or `/metrics`; items that are not delivered are counted by reason.
//!
//! ```console
//! cargo add hub-otel
//! cargo add tokio --features macros,rt-multi-thread
//! ```
//!
//! ```no_run
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
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = hub_otel::init!()?;
//!     nightly_report("acme").await?;
//!     telemetry.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! With `OTEL_TRACES_EXPORTER=console OTEL_LOGS_EXPORTER=none RUST_LOG=warn` the program prints its
//! trace (shown without the run id and the name):
//!
//! ```text
//! [OpenTelemetry] Instrumentation started (traces: stderr; …)
//! trace 7dabc1b9e4b751ecb39eb78cba3c85af
//! workflow.execute  5.3 ms  SUCCESS  workflow.id=nightly_report workflow.trigger=schedule
//! └─ agent.execute  239 µs  SUCCESS  agent.id=summarise agent.action=summarise customer=acme
//! [OpenTelemetry] Shutdown complete
//! ```
//!
//! # Contents
//!
//! | purpose | items |
//! |---|---|
//! | annotate functions | [`instrument_workflow`](macro@instrument_workflow), [`instrument_agent`](macro@instrument_agent) |
//! | annotate calls of models and tools | [`instrument_llm`](macro@instrument_llm), [`instrument_tool`](macro@instrument_tool), [`Usage`], [`LlmRequest`] |
//! | units without macros | [`workflow()`], [`agent()`], [`llm()`], [`tool()`], [`retrieval()`] |
//! | facts that are known while a unit runs | [`current()`], [`Current`] |
//! | outcome of a value, error types, labels | [`Classification`], [`ErrorType`](trait@ErrorType), [`Label`](trait@Label) |
//! | suspended and resumed runs, approvals | [`Segment`], [`approval`] |
//! | approvals and runs that wait in a store | [`Backlog`] |
//! | limits of a run | [`Budget`], [`Spent`] |
//! | contexts across processes | [`propagation`] |
//! | set-up, shutdown, report | [`init!`](macro@init), [`Telemetry`], [`TelemetryBuilder`], [`Report`] |
//! | HTTP and databases | `http`, `db` (features `axum`, `reqwest`, `sqlx`) |
//! | runs in the browser, OpenAI's API | `live`, `openai` (features of the same names) |
//! | tests of your own telemetry | `testing` (feature `testing`) |
//! | emitted names | [`semconv`] |
//! | OpenTelemetry's own types | [`otel`] |
//! | guides | [`_guide`] |
//!
//! Telemetry does not change the program: the returned value, panics, the drop order and `Send`
//! stay the same; nothing blocks and memory is bounded. Without [`init!`](macro@init) nothing is
//! recorded; the argument `timeout` still applies.
//!
//! # Features
//!
//! | feature | default | content |
//! |---|---|---|
//! | `enabled` | yes | records units; implies `sdk`. Off: nothing is recorded, `timeout` applies |
//! | `otlp-grpc` | yes | OTLP over gRPC |
//! | `prometheus` | yes | `/metrics` on its own listener |
//! | `logs` | yes | `tracing` events and records of the `log` crate as OTLP log records |
//! | `tracing` | yes | `tracing` spans, which nest with units |
//! | `serde` | yes | `Serialize` and `Deserialize` for [`Segment`] |
//! | `otlp-http` | no | OTLP over HTTP: http/protobuf, http/json |
//! | `otlp-tls` | no | TLS and mTLS by rustls, for either transport |
//! | `axum`, `reqwest`, `sqlx` | no | HTTP server, HTTP client, database client |
//! | `tower`, `reqwest-middleware` | no | HTTP client, as a tower layer and as a middleware |
//! | `live` | no | the live view: runs in the browser, served by the process |
//! | `cost` | no | prices of models, for the cost of calls |
//! | `openai` | no | calls of OpenAI and compatible servers: a tower layer for reqwest and async-openai |
//! | `process` | no | process and tokio runtime metrics |
//! | `testing` | no | the test kit |
//! | `sdk` | with `enabled` | [`Telemetry`] and the export pipeline |
//!
//! A library depends on hub-otel with `default-features = false`; the application enables the
//! features.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "sdk"),
    expect(dead_code, unused_imports, reason = "without the SDK no unit is recorded")
)]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(all(doc, not(doctest)))]
#[path = "guide.rs"]
pub mod _guide;
pub mod approval;
mod backlog;
mod budget;
#[cfg(feature = "sdk")]
mod config;
mod contain;
#[cfg(feature = "sqlx")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx")))]
pub mod db;
mod error_type;
#[cfg(feature = "sdk")]
mod export;
mod extensions;
mod gen_ai;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "tower"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "axum", feature = "reqwest", feature = "tower"))))]
pub mod http;
mod instance;
#[cfg(any(feature = "axum", feature = "reqwest", feature = "tower", feature = "sqlx"))]
mod instrumentation;
mod label;
#[cfg(feature = "live")]
#[cfg_attr(docsrs, doc(cfg(feature = "live")))]
pub mod live;
mod metrics;
mod money;
#[cfg(feature = "openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "openai")))]
pub mod openai;
mod options;
#[cfg(feature = "sdk")]
pub mod otel;
mod per_process;
#[cfg(feature = "process")]
mod process;
pub mod propagation;
mod sdk_types;
pub mod semconv;
mod shared_str;
mod status;
mod sync;
#[cfg(feature = "sdk")]
mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod text;
mod timer;
mod unit;
mod unit_kind;

#[cfg(feature = "sdk")]
#[cfg_attr(docsrs, doc(cfg(feature = "sdk")))]
#[doc(inline)]
pub use crate::backlog::Backlog;
#[cfg(feature = "sdk")]
#[cfg_attr(docsrs, doc(cfg(feature = "sdk")))]
#[doc(inline)]
pub use crate::telemetry::{
    Compression, Config, Exporter, ExporterReport, Health, InitError, InitErrorKind, Protocol,
    Report, Sensitive, Signal, SignalReport, Telemetry, TelemetryBuilder, init, shutdown_signal,
};

#[doc(inline)]
pub use crate::budget::{Budget, BudgetExceeded, BudgetLimit, Spent};
#[doc(inline)]
pub use crate::error_type::{ErrorType, TimedOut};
#[doc(inline)]
pub use crate::gen_ai::{ContentCapture, LlmRequest, Message, ModelCall, ModelPrice, Usage};
#[doc(inline)]
pub use crate::label::{Label, LabelValue};
#[doc(inline)]
pub use crate::status::UnitStatus;
#[doc(inline)]
pub use crate::unit::admitted::{AdmittedFuture, AdmittedStream};
#[doc(inline)]
pub use crate::unit::arguments::{IntoLink, IntoParent};
#[doc(inline)]
pub use crate::unit::attribute_value::AttributeValue;
#[doc(inline)]
pub use crate::unit::builder::{
    Agent, AgentKind, Llm, LlmKind, Tool, ToolKind, Unit, Workflow, WorkflowKind, agent, llm,
    retrieval, tool, workflow,
};
#[doc(inline)]
pub use crate::unit::callsite::SpanKind;
#[doc(inline)]
pub use crate::unit::current::{Current, current};
#[doc(inline)]
pub use crate::unit::instrumented::Instrumented;
#[doc(inline)]
pub use crate::unit::outcome::{Classification, Classify};
#[doc(inline)]
pub use crate::unit::segment::{IntoSegment, Segment};
#[doc(inline)]
pub use crate::unit::stream::InstrumentedStream;
pub use hub_otel_macros::ErrorType;
pub use hub_otel_macros::Label;
pub use hub_otel_macros::instrument_agent;
pub use hub_otel_macros::instrument_llm;
pub use hub_otel_macros::instrument_tool;
pub use hub_otel_macros::instrument_workflow;
