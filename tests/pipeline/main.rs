//! From `init` to the Collector: the environment, the wire, `/metrics`, the guard, in whatever runtime it lives.

mod child;
mod console;
mod environment;
mod kit;
mod listener;
mod redaction;
mod runtimes;
mod scrape;
mod wire;
