//! The boundaries, against real peers over TCP: what a request, a call or a statement leaves behind, as a tree of spans and
//! a table of metrics.

mod client;
mod conventions;
mod db;
mod guide;
mod process;
mod secrets;
mod server;
mod settings;
mod support;
