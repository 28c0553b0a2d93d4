//! From an HTTP request to the bytes that a Collector and Prometheus receive: the binary as a child
//! process on free ports, with an OTLP receiver in this process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

mod bad_input;
mod ending;
mod scrape;
mod server;
mod settings;
mod trace;
