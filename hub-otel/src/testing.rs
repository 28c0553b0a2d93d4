//! Test kit: captures the spans and metrics that a test records and renders them as text.
//!
//! [`capture`] covers the calling thread and everything that inherits its OpenTelemetry context.
//! Each capture has its own SDK, so such tests run side by side in one process. [`capture_global`]
//! covers the whole process, one capture at a time.
//!
//! ```
//! #[hub_otel::instrument_workflow(id = "nightly", run_id = "run-7")]
//! async fn nightly() {
//!     scan().await;
//! }
//!
//! #[hub_otel::instrument_agent(id = "scanner", action = "scan", run_id = "run-7/scan")]
//! async fn scan() {}
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let capture = hub_otel::testing::capture();
//! nightly().await;
//! assert_eq!(
//!     capture.spans().names(),
//!     "workflow.execute\n  agent.execute\n",
//! );
//! assert!(capture.metrics().table().contains(
//!     "workflow.runs.total{status=SUCCESS, trigger_type=manual, workflow_id=nightly} 1\n"
//! ));
//! capture.conformance().unwrap();
//! # }
//! ```
//!
//! Spans and metrics that the program records with OpenTelemetry directly are captured too:
//!
//! * by a [`capture_global`], if they are made through `opentelemetry::global`;
//! * by any capture, if they are made through its providers:
//!   [`otel::capture_tracer_provider`](crate::otel::capture_tracer_provider) and
//!   [`otel::capture_meter_provider`](crate::otel::capture_meter_provider).

mod capture;
mod conformance;
mod metrics;
mod process_wide;
mod render;
mod span;

pub use crate::testing::capture::{Capture, Settings, capture, capture_global};
pub use crate::testing::conformance::Violations;
pub use crate::testing::metrics::{Metrics, Series};
pub use crate::testing::render::Spans;
pub use crate::testing::span::{Event, Span, Value};
