//! Guides: configuration, emitted telemetry, macro rules, integrations, reliability and cost.
//!
//! The same files are in `docs/` of the repository.

/// Every setting: environment variable, builder method and default.
///
/// Items: [`init!`](macro@crate::init), [`TelemetryBuilder`](crate::TelemetryBuilder),
/// [`Config`](crate::Config).
#[doc = include_str!("../docs/configuration.md")]
pub mod configuration {}

/// Every span, attribute, metric and label that is emitted.
///
/// Items: [`semconv`](crate::semconv).
#[doc = include_str!("../docs/telemetry.md")]
pub mod telemetry {}

/// Error messages of the attributes, and accepted signatures.
///
/// Items: [`instrument_workflow`](macro@crate::instrument_workflow),
/// [`instrument_agent`](macro@crate::instrument_agent).
#[doc = include_str!("../docs/macro-rules.md")]
pub mod macro_rules {}

/// Instrumentation of HTTP servers, HTTP clients, databases and the process; propagation.
///
/// Items: [`http`](crate::http), [`db`](crate::db), [`propagation`](crate::propagation),
/// [`Telemetry::monitor_runtime`](crate::Telemetry::monitor_runtime).
#[doc = include_str!("../docs/guide-boundaries.md")]
pub mod boundaries {}

/// Calls of models and tools; attributes of a run; backends.
///
/// Items: [`instrument_llm`](macro@crate::instrument_llm),
/// [`instrument_tool`](macro@crate::instrument_tool), [`Usage`](crate::Usage),
/// [`LlmRequest`](crate::LlmRequest).
#[doc = include_str!("../docs/guide-gen-ai.md")]
pub mod gen_ai {}

/// Units on a durable engine: steps, bodies that run again, ends, time in the queue.
///
/// Items: [`Segment`](crate::Segment),
/// [`Current::suspend_on_drop`](crate::Current::suspend_on_drop),
/// [`Current::queued_since`](crate::Current::queued_since).
#[doc = include_str!("../docs/durable-engines.md")]
pub mod durable_engines {}

/// Agent frameworks under this library: rig, genai, async-openai, rmcp, apalis.
#[doc = include_str!("../docs/frameworks.md")]
pub mod frameworks {}

/// Differences from `#[tracing::instrument]`, and use beside it.
#[doc = include_str!("../docs/coming-from-tracing-instrument.md")]
pub mod from_tracing_instrument {}

/// The equivalent of each call of hand-written OpenTelemetry.
#[doc = include_str!("../docs/coming-from-opentelemetry.md")]
pub mod from_opentelemetry {}

/// The live view: runs in the browser, served by the process.
///
/// Items: [`live`](crate::live), [`TelemetryBuilder::live`](crate::TelemetryBuilder::live).
#[doc = include_str!("../docs/live-view.md")]
pub mod live_view {}

/// Faults: what is lost and what is reported, measured.
///
/// Items: [`Report`](crate::Report), [`Telemetry::shutdown`](crate::Telemetry::shutdown).
#[doc = include_str!("../docs/reliability.md")]
pub mod reliability {}

/// Cost per unit, measured.
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}
