//! `docs/telemetry.md` and the telemetry that is emitted agree, in both directions: names, types, units, labels, buckets.
//!
//! Everything that the library records is recorded once, in this process, against an OTLP receiver and `/metrics`; the
//! document is read as its readers read it, as tables.

mod document;
mod emitted;
mod metrics;
mod spans;
