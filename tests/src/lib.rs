//! What the tests of every package share: the far side of the wire, and ways to wait for it without
//! sleeping.
//!
//! * [`receiver::Receiver`]: an OTLP receiver in this process that keeps what it was sent and
//!   misbehaves as told;
//! * [`proxy::Proxy`]: a TCP link that can be cut, silenced or reset;
//! * [`program::Program`]: an instance of the library, with what it sent;
//! * [`process::Process`]: a child process that dies with its test;
//! * [`poll`], [`ports`], [`http`], [`scrape`]: waiting, ports, requests, Prometheus text.
//!
//! Everything here runs on a runtime of its own: a test may block its thread, or run without any
//! runtime.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test harness: what fails here fails the test"
)]

pub mod certificates;
pub mod http;
pub mod poll;
pub mod ports;
pub mod process;
pub mod program;
pub mod proxy;
pub mod receiver;
mod runtime;
pub mod scrape;

/// The guide's code, compiled as it stands.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide-boundaries.md")]
mod guide_boundaries {}

/// The same for whoever comes from `#[tracing::instrument]`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from-tracing-instrument.md")]
mod coming_from_tracing_instrument {}

/// The same for whoever comes from OpenTelemetry by hand.
#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from-opentelemetry.md")]
mod coming_from_opentelemetry {}
