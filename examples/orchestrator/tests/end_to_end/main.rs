//! The main job, from HTTP to the bytes that a Collector and a Prometheus receive: the binary is started as a user would
//! start it, on free ports, against an OTLP receiver in this process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

mod bad_input;
mod ending;
mod scrape;
mod server;
mod settings;
mod trace;
