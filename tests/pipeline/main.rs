//! From `init` to the Collector: the environment, the wire, `/metrics`, the guard, in whatever runtime it lives.

mod child;
mod console;
mod environment;
mod kit;
mod last_line;
mod listener;
mod loops;
mod overflow;
mod redaction;
mod resource;
mod runtimes;
mod scrape;
mod variables;
mod wire;
