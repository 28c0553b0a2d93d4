//! Context propagation between processes, tasks and threads: W3C Trace Context, and the identity of
//! a run as W3C Baggage.
//!
//! Inside one process, [`RunFutureExt`] and [`RunFnExt`] carry the current run into a spawned task
//! or a thread, and [`RemoteContext::current`] into a message or a callback.
//!
//! The trace context (`traceparent`, `tracestate`) is propagated to and from every peer. The
//! identity of a run (`workflow.id`, `workflow.run.id` in the `baggage` header) is propagated only
//! by the functions with `run` in their name, because it is visible to the receiver and trusted by
//! it. OTEL_PROPAGATORS can switch off either format. Other formats, such as B3, are added with
//! `TelemetryBuilderExt::propagator`.
//!
//! A carrier is anything that implements [`Injector`] or [`Extractor`]: maps of strings, HTTP
//! headers (features `axum`, `reqwest`), and your own message types. [`to_env`] and [`from_env`]
//! use the environment of a child process.
//!
//! ```
//! use std::collections::HashMap;
//!
//! # async fn receive() {
//! // In the sender:
//! let mut message = HashMap::new();
//! hub_otel::propagation::inject(&mut message);
//!
//! // In the receiver:
//! let parent = hub_otel::propagation::extract(&message);
//! hub_otel::agent("scanner", "scan").parent(parent).run(async { /* … */ }).await;
//! # }
//! ```

mod baggage;
mod baggage_allow_list;
mod carriers;
pub(crate) mod custom;
mod env_carrier;
mod inject_extract;
pub(crate) mod propagators;
mod remote_context;
mod run_ext;
mod trace_context;
#[cfg(feature = "sdk")]
pub(crate) mod traceparent;

pub use crate::propagation::baggage_allow_list::BaggageAllowList;
pub use crate::propagation::carriers::{Extractor, Injector};
pub use crate::propagation::env_carrier::{from_env, to_env};
pub use crate::propagation::inject_extract::{extract, extract_run, inject, inject_run};
pub use crate::propagation::remote_context::RemoteContext;
pub use crate::propagation::run_ext::{InRun, RunFnExt, RunFutureExt};

#[cfg(feature = "axum")]
pub(crate) use crate::propagation::carriers::OtelExtractor;
#[cfg(feature = "axum")]
pub(crate) use crate::propagation::inject_extract::adopt_run;
