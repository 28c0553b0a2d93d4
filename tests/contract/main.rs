//! Comparison of `docs/telemetry.md` with the emitted telemetry, in both directions: names, types,
//! units, labels, buckets.
//!
//! All telemetry of the library is recorded once in this process, with an OTLP receiver and
//! `/metrics`. The document is parsed as tables.

mod document;
mod emitted;
mod gen_ai_registry;
mod metrics;
mod spans;
