//! The public test kit itself: process-wide captures, selection and rendering of spans, the
//! conformance check.
//!
//! A test binary of its own: a process-wide capture sees the work of every test of its process.

mod process_wide;
mod rendering;
