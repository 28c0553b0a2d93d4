//! The export pipeline: processors, bounded queues, batching, encoding, transports, retries,
//! delivery accounting and `/metrics`.

pub(crate) mod accounting;
pub(crate) mod batch_loop;
#[cfg(any(feature = "otlp-http", feature = "live"))]
pub(crate) mod body;
pub(crate) mod components;
pub(crate) mod console;
pub(crate) mod delivery;
pub(crate) mod diagnostics;
pub(crate) mod encode;
pub(crate) mod ended_span;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod pipeline;
pub(crate) mod processor;
pub(crate) mod protocol_hint;
pub(crate) mod queue;
pub(crate) mod queued_log;
#[cfg(test)]
mod random;
pub(crate) mod resource;
pub(crate) mod retry;
pub(crate) mod runtime;
pub(crate) mod stderr;
#[cfg_attr(
    not(any(feature = "otlp-grpc", feature = "otlp-http")),
    expect(dead_code, reason = "no transport is compiled in")
)]
pub(crate) mod transport;
pub(crate) mod unit_spans;
