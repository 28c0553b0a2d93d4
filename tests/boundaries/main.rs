//! HTTP, database and process instrumentation against real peers over TCP. The expectations are a
//! tree of spans and a table of metrics.

mod client;
mod conventions;
mod db;
mod guide;
mod openai;
mod process;
mod secrets;
mod server;
mod settings;
mod support;
